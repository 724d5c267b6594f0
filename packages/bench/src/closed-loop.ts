/**
 * The generator: a fixed number of sessions, each sending the next message as soon as the last one was answered. Counts and times; bounded by the
 * number of messages. `new` opens a connection per message, `reuse` keeps it.
 */
import { SmtpSender } from '@postern/testkit/smtp';

export interface ClosedLoop {
  readonly port: number;
  /** Address the client binds; absent = what the machine takes. */
  readonly localAddress?: string;
  readonly sessions: number;
  readonly messages: number;
  readonly mode: 'new' | 'reuse';
  readonly to: (number: number) => string;
  readonly letter: { readonly from: string; readonly data: Buffer };
}

export interface LoopResult {
  readonly seconds: number;
  /** Milliseconds, sorted: connect (or MAIL) to final reply. */
  readonly latencies: Float64Array;
  readonly refused: number;
}

export async function runClosedLoop(loop: ClosedLoop): Promise<LoopResult> {
  const latencies = new Float64Array(loop.messages);
  const { port, localAddress } = loop;
  const address = localAddress === undefined ? { port } : { port, localAddress };
  let next = 0;
  let refused = 0;
  const startedAt = performance.now();
  const session = async (): Promise<void> => {
    let sender: SmtpSender | undefined;
    while (next < loop.messages) {
      const number = next++;
      const from = performance.now();
      if (sender === undefined) {
        sender = await SmtpSender.open(address);
        await sender.greet();
      }
      const reply = await sender.send({ ...loop.letter, to: [loop.to(number)] });
      latencies[number] = performance.now() - from;
      if (reply.code !== 250) refused++;
      if (loop.mode === 'new') {
        await sender.quit();
        sender = undefined;
      }
    }
    await sender?.quit();
  };
  await Promise.all(Array.from({ length: loop.sessions }, session));
  const seconds = (performance.now() - startedAt) / 1000;
  return { seconds, latencies: latencies.sort(), refused };
}

export const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
