/** The front over real sockets and doubles for a test file: its listener ends after each test. */
import { RawClient } from '@postern/testkit/smtp';
import { afterEach } from 'vitest';
import type { Listener } from '../listener.js';
import type { Doubles } from './doubles.js';

export const transaction: readonly string[] = [
  'EHLO c.test',
  'MAIL FROM:<a@sender.test>',
  'RCPT TO:<bob@example.test>',
];

/** Use at the top level of a test file. */
export function withFront() {
  const open: Listener[] = [];
  afterEach(async () => {
    await Promise.all(
      open.splice(0).map(async (listener) => {
        listener.destroy();
        await listener.drain();
      }),
    );
  });
  return {
    /** Those of this test. */
    open,
    async start(doubles: Doubles, ...args: Parameters<Doubles['listen']>): Promise<Listener> {
      const listener = await doubles.listen(...args);
      open.push(listener);
      return listener;
    },
  };
}

/** A client that has said these lines and heard the answers. */
export async function greeted(port: number, lines: readonly string[] = transaction): Promise<RawClient> {
  const client = await RawClient.open(port);
  await client.reply();
  for (const line of lines) await client.command(line);
  return client;
}
