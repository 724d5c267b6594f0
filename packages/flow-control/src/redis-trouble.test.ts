/** What `status` says of a Redis that does not answer: both clients of ours, before a server that is not there and one that refuses the login. */
import { withRedis } from '@postern/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { askAlive, RedisLimitStore } from './limit-store.js';
import { askRedis, connectRedis } from './redis-connection.js';
import { redisTrouble } from './redis-trouble.js';

const redis = withRedis({ extra: ['requirepass right'] });

const refusal = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'answered',
    (error: unknown) => (error instanceof Error ? error.message : 'no error'),
  );

test.each([
  ['nothing listens', () => 'redis://127.0.0.1:1', 'Redis does not answer: nothing listens there'],
  ['the login is refused', () => redis.url.replace('//', '//:wrong@'), /login|WRONGPASS|NOAUTH/],
])('%s: the reason is told, not what the client says about its streams', async (_name, url, expected) => {
  const store = new RedisLimitStore({ url: url(), commandTimeoutMs: 1_000 });
  const client = await connectRedis({ url: url(), cluster: false, commandTimeoutMs: 1_000 }, () => undefined);
  onTestFinished(async () => {
    await store.close();
    client.disconnect();
  });
  await vi.waitFor(async () => expect(await refusal(askAlive(store))).toMatch(expected));
  await vi.waitFor(async () => expect(await refusal(askRedis(client, 'postern:done:-'))).toMatch(expected));
});

test.each([
  ["Stream isn't writeable and enableOfflineQueue options is false", undefined, 'Redis does not answer'],
  ['Connection is closed.', 'WRONGPASS invalid username-password pair', 'Redis does not answer: it refuses the login'],
  ['Connection is closed.', 'getaddrinfo ENOTFOUND redis', 'Redis does not answer: its name is not known'],
  ['Connection is closed.', 'odd', 'Redis does not answer: odd'],
  ['Command timed out', 'odd', 'Command timed out'],
])('%j after %j is %j', (said, connection, expected) => {
  const before = connection === undefined ? undefined : new Error(connection);
  expect(redisTrouble(new Error(said), before).message).toBe(expected);
});
