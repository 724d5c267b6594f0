/** Two edges over one Redis: what one took, the other knows. Windows are long, so nothing here depends on time. */
import { systemClock } from '@postern/clock';
import { RateLimiter, RedisLimitStore } from '@postern/flow-control';
import type { LimitName } from '@postern/flow-control/session';
import { withRedis } from '@postern/testkit';
import { RawClient } from '@postern/testkit/smtp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Listener } from './listener.js';
import { createMessageLimits } from './message-limits.js';
import { openSession, type Session } from './session.js';
import { Doubles } from './testing/doubles.js';

const redis = withRedis();
const stores: RedisLimitStore[] = [];
let asked = 0;
const opened: Listener[] = [];

beforeAll(async () => {
  for (let pod = 0; pod < 2; pod++) {
    const store = new RedisLimitStore({ url: redis.url, commandTimeoutMs: 5_000 });
    stores.push(store);
    await store.ready(5_000);
  }
});

afterEach(async () => {
  for (const listener of opened.splice(0)) {
    listener.destroy();
    await listener.drain();
  }
});

afterAll(async () => {
  for (const store of stores) await store.close();
});

async function edge(pod: number, snapshot: object, isSpread = false): Promise<{ doubles: Doubles; port: number }> {
  const doubles = new Doubles();
  doubles.setSnapshot(snapshot);
  const store = stores[pod];
  if (store === undefined) throw new Error('no such pod');
  const counting = {
    isSpread,
    run: (...call: Parameters<RedisLimitStore['run']>) => {
      asked++;
      return store.run(...call);
    },
    ask: (...call: Parameters<RedisLimitStore['ask']>) => store.ask(...call),
    close: () => store.close(),
  };
  doubles.messageLimits = createMessageLimits({
    rates: new RateLimiter({ store: counting, clock: systemClock, livePods: () => 2 }),
    snapshot: () => doubles.snapshot,
  });
  const listener = await doubles.listen();
  opened.push(listener);
  return { doubles, port: listener.port };
}

async function send(port: number, recipients = 1, size = 20): Promise<string | undefined> {
  const client = await RawClient.open(port);
  await client.reply();
  await client.command('EHLO c.test');
  const sender = await client.command('MAIL FROM:<a@sender.test>');
  if (sender?.startsWith('250') !== true) {
    client.destroy();
    return sender;
  }
  for (let index = 0; index < recipients; index++) await client.command(`RCPT TO:<r${index}@example.test>`);
  await client.command('DATA');
  client.send(`${'x'.repeat(size)}\r\n.\r\n`);
  const reply = await client.reply();
  client.destroy();
  return reply;
}

function submitting(clientAddress: string, user: string, tenant: string): Session {
  const session = openSession({
    id: '',
    listener: { name: 'submission', role: 'submission' },
    ...{ clientAddress, clientPort: 1, localAddress: '127.0.0.1', localPort: 587 },
    ...{ startedAtMs: 0, traceparent: '', tls: undefined },
  });
  session.login = { user, tenant, mechanism: 'PLAIN' };
  return session;
}

const limitsOf = ({ events }: Doubles) => events.flatMap(({ facts }) => facts?.limit?.name ?? []);

const hour = 3_600_000;
const minute = 60_000;
const refused =
  /^450 4\.7\.1 no more than \d+ \w+ in (?:1h|6\d+m) from your (address|organisation), try again in (?:3[5-9]|4[01])\d\d s \(/;

test('messages of one address, over two pods; the next is refused at MAIL without asking', async () => {
  const limits = { messageLimits: { perAddress: { messages: 3, intervalMs: hour } } };
  const [one, other] = [await edge(0, limits), await edge(1, limits)];
  expect(await send(one.port)).toMatch(/^250/);
  expect(await send(other.port)).toMatch(/^250/);
  expect(await send(one.port)).toMatch(/^250/);
  expect(await send(other.port)).toMatch(refused);
  expect(one.doubles.stored.length + other.doubles.stored.length).toBe(3);
  expect(other.doubles.events).toContainEqual(
    expect.objectContaining({
      event: 'edge.message.rejected',
      facts: expect.objectContaining({ detail: { reason: 'address messages limit 3 in 1h (cluster)' } }),
    }),
  );
  const before = asked;
  expect(await send(other.port)).toMatch(refused);
  expect(asked).toBe(before);
  expect(limitsOf(other.doubles)).toEqual(['messages_per_address', 'messages_per_address']);
});

const relay = { relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }] };
const member = { name: 'partners', networks: ['127.0.0.1'] };

test.each<[string, object, [recipients: number, size: number][], string, LimitName]>([
  [
    'recipients',
    { messageLimits: { perTenant: { recipients: 4, intervalMs: hour + 1 * minute } }, ...relay },
    [
      [3, 20],
      [1, 20],
    ],
    'tenant recipients limit 4 in 61m (cluster)',
    'recipients_per_tenant',
  ],
  [
    'bytes',
    { messageLimits: { perAddress: { bytes: 5_000, intervalMs: hour + 2 * minute } } },
    [[1, 4_000]],
    'address bytes limit 5000 in 62m (cluster)',
    'bytes_per_address',
  ],
  [
    'a tenant with a limit of its own',
    {
      ...relay,
      messageLimits: { perTenant: { messages: 1, intervalMs: hour + 3 * minute } },
      tenants: [{ name: 'acme', state: 'active', messageRate: { messages: 2, intervalMs: hour + 3 * minute } }],
    },
    [
      [1, 20],
      [1, 20],
    ],
    'tenant messages limit 2 in 63m (cluster)',
    'messages_per_tenant',
  ],
])('%s are limited', async (_name, snapshot, fitting, reason, limit) => {
  const { doubles, port } = await edge(0, snapshot);
  for (const [recipients, size] of fitting) expect(await send(port, recipients, size)).toMatch(/^250/);
  expect(await send(port, 2, 2_000)).toMatch(refused);
  expect(doubles.stored).toHaveLength(fitting.length);
  expect(doubles.events.some(({ facts }) => facts?.detail?.reason === reason)).toBe(true);
  expect(limitsOf(doubles)).toEqual([limit]);
});

describe('what one message alone is more than', () => {
  const snapshot = {
    ...relay,
    messageLimits: {
      perAddress: { bytes: 5_000, intervalMs: hour + 7 * minute },
      perTenant: { bytes: 4_000, recipients: 2, intervalMs: hour + 7 * minute },
    },
  };
  const tooBig = /^552 5\.3\.4 message exceeds the 4000 bytes your organisation may send in /;

  test('is refused for good, declared or not, by DATA and by BDAT, and nothing is counted for it', async () => {
    const { port, doubles } = await edge(0, snapshot);
    const before = asked;
    const client = await RawClient.open(port);
    await client.reply();
    expect(await client.command('EHLO c.test')).toMatch(/^250-SIZE 4000$/m);
    expect(await client.command('MAIL FROM:<a@sender.test> SIZE=4001')).toMatch(tooBig);
    await client.command('MAIL FROM:<a@sender.test>');
    await client.command('RCPT TO:<bob@example.test>');
    client.send('BDAT 4001 LAST\r\n');
    client.send('x'.repeat(4_001));
    expect(await client.reply()).toMatch(tooBig);
    client.destroy();
    expect(await send(port, 1, 3_999)).toMatch(tooBig);
    expect(asked).toBe(before);
    expect(doubles.stored).toEqual([]);
    expect(doubles.events).toContainEqual(
      expect.objectContaining({
        event: 'edge.sender.rejected',
        facts: expect.objectContaining({
          detail: { reason: 'tenant bytes limit', size: '4001', limit: '4000', interval: '67m' },
        }),
      }),
    );
    expect(await send(port, 1, 3_998)).toMatch(/^250/);
    expect(await send(port, 1, 20)).toMatch(refused);
  });

  test('recipients beyond those of an interval are asked to come with another message', async () => {
    const { port } = await edge(0, {
      ...relay,
      messageLimits: { perTenant: { recipients: 2, intervalMs: hour + 8 * minute } },
    });
    const client = await RawClient.open(port);
    await client.reply();
    await client.command('EHLO c.test');
    await client.command('MAIL FROM:<a@sender.test>');
    expect(await client.command('RCPT TO:<r1@example.test>')).toMatch(/^250/);
    expect(await client.command('RCPT TO:<r2@example.test>')).toMatch(/^250/);
    expect(await client.command('RCPT TO:<r3@example.test>')).toMatch(/^452 4\.5\.3/);
    await client.command('DATA');
    client.send('x\r\n.\r\n');
    expect(await client.reply()).toMatch(/^250/);
    client.destroy();
  });
});

test("a set's own rate takes the place of the service's", async () => {
  const { port, doubles } = await edge(0, {
    messageLimits: { perAddress: { messages: 1, intervalMs: hour + 4 * minute } },
    ipSets: [{ ...member, messageRate: { messages: 2, intervalMs: hour + 4 * minute } }],
  });
  doubles.ipSet = 'partners';
  expect(await send(port)).toMatch(/^250/);
  expect(await send(port)).toMatch(/^250/);
  expect(await send(port)).toMatch(refused);
});

test('what a tenant allows each user holds over two pods, besides what the operator allows; others are not touched', async () => {
  const intervalMs = hour + 5 * minute;
  const snapshot = {
    messageLimits: { perUser: { messages: 3, intervalMs: hour + 6 * minute } },
    tenants: [{ name: 'acme', state: 'active', userMessageRate: { messages: 2, intervalMs } }],
  };
  const pods = [await edge(0, snapshot), await edge(1, snapshot)];
  const use = { recipients: 1, bytes: 20 };
  const take = async (pod: number, user: string, tenant: string): Promise<string | undefined> => {
    const { doubles } = pods[pod] ?? {};
    return (await doubles?.messageLimits?.take(submitting('127.0.0.1', user, tenant), use))?.reason;
  };
  expect(await take(0, 'a@acme.test', 'acme')).toBeUndefined();
  expect(await take(1, 'a@acme.test', 'acme')).toBeUndefined();
  expect(await take(0, 'a@acme.test', 'acme')).toBe('user messages limit 2 in 65m (cluster)');
  expect(await take(1, 'b@acme.test', 'acme')).toBeUndefined();
  for (let count = 0; count < 3; count++) expect(await take(count % 2, 'c@other.test', 'other')).toBeUndefined();
  expect(await take(1, 'c@other.test', 'other')).toBe('user messages limit 3 in 66m (cluster)');
});

test('a message that the user may not send does not count for its address', async () => {
  const intervalMs = hour + 9 * minute;
  const { doubles } = await edge(0, {
    messageLimits: { perUser: { messages: 1, intervalMs }, perAddress: { messages: 3, intervalMs } },
  });
  const take = async (user: string): Promise<string | undefined> => {
    const session = submitting('127.0.0.9', user, 'acme');
    return (await doubles.messageLimits?.take(session, { recipients: 1, bytes: 20 }))?.reason;
  };
  expect(await take('eager@acme.test')).toBeUndefined();
  for (let more = 0; more < 5; more++)
    expect(await take('eager@acme.test')).toBe('user messages limit 1 in 69m (cluster)');
  expect(await take('second@acme.test')).toBeUndefined();
  expect(await take('third@acme.test')).toBeUndefined();
  expect(await take('fourth@acme.test')).toBe('address messages limit 3 in 69m (cluster)');
});

test.each(['on one server', 'spread over several'])(
  'a message that its address may not send counts for neither user nor tenant: keys %s',
  async (where) => {
    const isSpread = where === 'spread over several';
    const intervalMs = hour + (isSpread ? 11 : 10) * minute;
    const { doubles } = await edge(
      0,
      {
        messageLimits: {
          perUser: { messages: 8, bytes: 5_000, intervalMs },
          perTenant: { messages: 6, intervalMs },
          perAddress: { messages: 2, intervalMs },
        },
      },
      isSpread,
    );
    const take = async (user: string, from: string): Promise<string | undefined> => {
      const session = submitting(from, user, 'acme');
      return (await doubles.messageLimits?.take(session, { recipients: 1, bytes: 20 }))?.reason;
    };
    const before = asked;
    for (let sent = 0; sent < 2; sent++) expect(await take('bob@acme.test', '127.0.0.60')).toBeUndefined();
    expect(asked - before).toBe(isSpread ? 6 : 2);
    for (let more = 0; more < 9; more++)
      expect(await take('bob@acme.test', '127.0.0.60')).toMatch(/^address messages limit 2 /);
    for (const from of ['127.0.0.61', '127.0.0.61', '127.0.0.62', '127.0.0.62'])
      expect(await take('bob@acme.test', from)).toBeUndefined();
    expect(await take('bob@acme.test', '127.0.0.63')).toMatch(/^tenant messages limit 6 /);
  },
);

test('nothing limited = nobody asked', async () => {
  const { port } = await edge(0, {});
  const before = asked;
  expect(await send(port)).toMatch(/^250/);
  expect(asked).toBe(before);
});
