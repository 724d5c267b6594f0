/**
 * The generator: numbered messages over several edges at once, each repeated until it was answered 250, as a mail client would. Remembers which
 * numbers were sent more than once, since only those may arrive under two queue ids.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildMessage, ConnectionLost, SmtpSender } from '@postern/testkit/smtp';

export interface LoadOptions {
  readonly ports: () => Promise<readonly number[]>;
  readonly messages: number;
  readonly senders: number;
  readonly domain: string;
  /** Every n-th message has a second recipient in this domain, which has a lane of its own. */
  readonly secondDomain: string;
  readonly fanOutEvery: number;
  readonly size: number;
  /** Every n-th message is larger than what travels inline; 0 = none. */
  readonly largeEvery: number;
  /** Every n-th message goes to a recipient that the next hop refuses for good; its DSN counts as its arrival; 0 = none. */
  readonly bounceEvery: number;
  /** Milliseconds in all. */
  readonly timeoutMs: number;
  /** Messages per second at most over all senders, those of half a second at once; 0 = as fast as it goes. */
  readonly rate: number;
}

export interface LoadResult {
  /** What was answered 250: one key per recipient (`keyOf`). */
  readonly accepted: ReadonlySet<string>;
  readonly acceptedMessages: number;
  /** Numbers sent again after a try whose outcome was not known or was 4xx. */
  readonly repeated: ReadonlySet<number>;
  /** Replies 5xx: always a violation here. */
  readonly refused: readonly string[];
  readonly temporary: number;
}

export interface Load {
  readonly done: Promise<LoadResult>;
  accepted(): number;
}

/** What is due goes at once this often: mails of the same moment share a message of SPOOL, and of WORK. */
const burstMs = 500;
/** Beyond the 128 KiB that travel inline. */
const largeBytes = 200_000;

/** About one message in so many is the last of its connection. */
const connectionOf = 25;

export const numberHeader = 'X-Chaos-Number';

/** A number, marked for its second recipient. */
export const keyOf = (number: number, isSecond: boolean): string => `${number}${isSecond ? '+' : ''}`;
export const numberOf = (key: string): number => Number.parseInt(key, 10);

export function startLoad(options: LoadOptions): Load {
  const accepted = new Set<string>();
  let acceptedMessages = 0;
  const repeated = new Set<number>();
  const refused: string[] = [];
  let temporary = 0;
  let next = 0;
  const startedAt = Date.now();
  const end = startedAt + options.timeoutMs;

  async function deliverOne(number: number, sender: SmtpSender): Promise<'accepted' | 'again' | 'reconnect'> {
    const every = (n: number): boolean => n > 0 && number % n === n - 1;
    const to = `${every(options.bounceEvery) ? '550-' : ''}user${number % 50}@${options.domain}`;
    const data = buildMessage({
      from: 'load@sender.test',
      to,
      id: `chaos-${number}`,
      size: every(options.largeEvery) ? largeBytes : options.size,
      headers: { [numberHeader]: String(number) },
    });
    const fansOut = every(options.fanOutEvery);
    const recipients = fansOut ? [to, `user${number % 50}@${options.secondDomain}`] : [to];
    const reply = await sender.send({ from: 'load@sender.test', to: recipients, data });
    if (reply.code === 250) {
      acceptedMessages++;
      for (const isSecond of fansOut ? [false, true] : [false]) accepted.add(keyOf(number, isSecond));
      return 'accepted';
    }
    repeated.add(number);
    if (reply.code >= 500) {
      refused.push(`${number}: ${reply.code} ${reply.text}`);
      return 'accepted';
    }
    temporary++;
    return reply.code === 421 ? 'reconnect' : 'again';
  }

  async function run(index: number): Promise<void> {
    let sender: SmtpSender | undefined;
    while (next < options.messages && Date.now() < end) {
      const burstAt = Math.floor((Date.now() - startedAt) / burstMs) * burstMs;
      if (options.rate > 0 && next >= (burstAt / 1000) * options.rate) {
        await sleep(startedAt + burstAt + burstMs - Date.now());
        continue;
      }
      const number = next++;
      // Not for ever to one edge: once all had left it, none would come back.
      if (number % connectionOf === 0) {
        await sender?.quit().catch(() => undefined);
        sender = undefined;
      }
      for (let done = false; !done && Date.now() < end; ) {
        try {
          if (sender === undefined) {
            const ports = await options.ports();
            sender = await SmtpSender.open({ port: ports[(index + number) % ports.length] ?? 0, timeoutMs: 90_000 });
            await sender.greet();
          }
          const outcome = await deliverOne(number, sender);
          done = outcome === 'accepted';
          if (outcome === 'again') await sleep(200);
          if (outcome === 'reconnect') throw new ConnectionLost('told to go');
        } catch {
          repeated.add(number);
          sender?.destroy();
          sender = undefined;
          await sleep(100);
        }
      }
    }
    await sender?.quit();
  }
  const senders = Array.from({ length: options.senders }, (_, index) => run(index));
  return {
    accepted: () => acceptedMessages,
    done: Promise.all(senders).then(() => ({ accepted, acceptedMessages, repeated, refused, temporary })),
  };
}
