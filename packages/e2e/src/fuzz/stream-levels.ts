/** How many messages a stream of the cluster holds, asked of the server. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamConnection } from '@postern/stream';

interface StreamState {
  readonly messages: number;
}

export async function messagesIn(streams: StreamConnection, stream: string): Promise<number> {
  const reply = await streams.nats.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 5_000 });
  const info: { readonly state?: StreamState } = reply.json();
  return info.state?.messages ?? Number.NaN;
}

/** Messages that are left when it is empty, or when the time is over. */
export async function waitEmpty(streams: StreamConnection, stream: string, timeoutMs: number): Promise<number> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const left = await messagesIn(streams, stream);
    if (left === 0 || Date.now() > end) return left;
    await sleep(250);
  }
}
