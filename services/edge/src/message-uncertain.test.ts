/** Design invariant 3: where a client may send again what is stored, that is counted and told. */
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, test, vi } from 'vitest';
import type { Listener } from './listener.js';
import { Doubles } from './testing/doubles.js';

const opened: Listener[] = [];

afterEach(async () => {
  for (const listener of opened.splice(0)) {
    listener.destroy();
    await listener.drain();
  }
});

async function transmit(doubles: Doubles): Promise<RawClient> {
  const listener = await doubles.listen();
  opened.push(listener);
  const client = await RawClient.open(listener.port);
  await client.reply();
  await client.command('EHLO c.test');
  await client.command('MAIL FROM:<a@sender.test>');
  await client.command('RCPT TO:<x@example.test>');
  await client.command('DATA');
  client.send('Subject: x\r\n\r\nx\r\n.\r\n');
  return client;
}

const uncertain = (doubles: Doubles) =>
  doubles.events.filter(({ event }) => event === 'edge.message.uncertain').map(({ facts }) => facts?.detail?.reason);

test('a publish of which nobody knows: 451, and counted', async () => {
  const doubles = new Doubles();
  doubles.spoolResult = { kind: 'unknown', reason: 'test' };
  const client = await transmit(doubles);
  expect(await client.reply()).toMatch(/^451 4\.3\.\d /);
  client.destroy();
  expect(uncertain(doubles)).toEqual(['publish_unknown']);
});

test('a client that is gone before its 250: counted', async () => {
  const doubles = new Doubles();
  const gone = Promise.withResolvers<void>();
  doubles.beforeStored = () => gone.promise;
  const client = await transmit(doubles);
  client.destroy();
  await vi.waitFor(() => expect(doubles.released).toBe(1));
  gone.resolve();
  await vi.waitFor(() => expect(uncertain(doubles)).toEqual(['reply_lost']));
  expect(doubles.stored).toHaveLength(1);
});

test('a message with its 250 is certain', async () => {
  const doubles = new Doubles();
  const client = await transmit(doubles);
  expect(await client.reply()).toMatch(/^250 /);
  client.destroy();
  expect(uncertain(doubles)).toEqual([]);
});
