/**
 * No timer per connection: however many are idle or in a transaction, plain or TLS, the process has the timers it had without them. Counted by
 * the hooks of the runtime, so the base's and Node's own (socket.setTimeout) count too.
 */
import { createHook } from 'node:async_hooks';
import { RawClient } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { Doubles } from '../testing/doubles.js';

const timers = new Set<number>();
const hook = createHook({
  init: (id, type) => void (type === 'Timeout' && timers.add(id)),
  destroy: (id) => void timers.delete(id),
});

const connections = 40;

const greet = async (client: RawClient): Promise<void> => void (await client.command('EHLO c.test'));

test.each<[string, 'mx' | 'submissions', (client: RawClient) => Promise<void>]>([
  ['plain', 'mx', greet],
  [
    'after STARTTLS',
    'mx',
    async (client) => {
      await greet(client);
      await client.command('STARTTLS');
      await client.startTls();
      await greet(client);
    },
  ],
  ['TLS from the start', 'submissions', greet],
  [
    'in a transaction',
    'mx',
    async (client) => {
      await greet(client);
      await client.command('MAIL FROM:<a@sender.test>');
      await client.command('RCPT TO:<bob@example.test>');
    },
  ],
])('%s', async (_name, role, begin) => {
  const doubles = new Doubles();
  const listener = await doubles.listen({ name: role, role });
  const clients: RawClient[] = [];
  hook.enable();
  try {
    timers.clear();
    for (let left = connections; left > 0; left--) {
      const client = await RawClient.open(listener.port, role === 'submissions');
      expect(await client.reply()).toMatch(/^220 /);
      await begin(client);
      clients.push(client);
    }
    expect(listener.sessions).toBe(connections);
    // A few are the runner's own.
    await expect.poll(() => timers.size, { timeout: 5_000 }).toBeLessThan(connections / 4);
    for (const client of clients) expect(await client.command('NOOP')).toMatch(/^250 /);
  } finally {
    hook.disable();
    for (const client of clients) client.destroy();
    listener.destroy();
    await listener.drain();
  }
});
