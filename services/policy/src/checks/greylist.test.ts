/** Greylisting over a real Redis, with short times so that nobody sleeps: a retry is asked for until it passes. */

import { systemClock } from '@postern/clock';
import { connectRedis } from '@postern/flow-control';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { withRedis, withRedisCluster } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { sharedAnswers } from '../dns-lists/shared-answers.js';
import { GreylistDesk } from '../greylist/greylist-desk.js';
import { type GreylistStore, redisGreylist } from '../greylist/greylist-store.js';
import { askEnvelope, type Described, ground, settings } from '../testing/ground.js';

const redis = withRedis();
const shards = await withRedisCluster();
const failures: string[] = [];
let client: Redis;
let greylist: GreylistStore;
beforeAll(async () => {
  client = new Redis(redis.url, { maxRetriesPerRequest: 0, enableOfflineQueue: true });
  client.on('error', () => undefined);
  await client.ping();
  greylist = redisGreylist(client, (reason) => failures.push(reason));
});
afterAll(() => client.disconnect());

async function ask(
  described: Described,
  own: object = {},
  zone = {},
): Promise<[string | undefined, Action | undefined]> {
  const snapshot = settings({ spf: {}, greylist: { delay: '100ms', ...own } });
  const verdict = await askEnvelope(ground({ zone, snapshot, tools: { greylist } }), described);
  const finding = verdict.findings.find(({ check }) => check === 'greylist');
  return [finding?.outcome, verdict.recipients[0]?.decision?.action];
}

const passing = (domain: string) => ({ [domain]: { TXT: ['v=spf1 ip4:0.0.0.0/0 -all'] } });

test('new, early, passed, known', async () => {
  const from = 'a@first.test';
  expect(await ask({ from }, { delay: '1h' })).toEqual(['new', Action.TEMPFAIL]);
  expect(await ask({ from }, { delay: '1h' })).toEqual(['early', Action.TEMPFAIL]);
  expect(await ask({ from }, { delay: 0 })).toEqual(['passed', Action.ACCEPT]);
  expect(await ask({ from, client: '192.0.2.99' })).toEqual(['known', Action.ACCEPT]);
  expect(await ask({ from, client: '198.51.100.1' })).toEqual(['new', Action.TEMPFAIL]);
  expect(await ask({ from: '' })).toEqual([undefined, Action.ACCEPT]);
});

test('a pool of 50 addresses passes on its second try: SPF says that they are one origin', async () => {
  const zone = passing('pool.test');
  const clients = Array.from({ length: 50 }, (_, at) => `203.0.${at}.7`);
  for (const [at, from] of clients.map((_, index) => `sender${index}@pool.test`).entries()) {
    const own = { autoAllow: 0 };
    expect(await ask({ from, client: clients[at] ?? '' }, own, zone)).toEqual(['new', Action.TEMPFAIL]);
    const second = clients[(at + 17) % 50] ?? '';
    await vi.waitFor(
      async () => expect(await ask({ from, client: second }, own, zone)).toEqual(['passed', Action.ACCEPT]),
      2_000,
    );
  }
});

test('after so many passes all mail of the origin passes', async () => {
  const zone = passing('auto.test');
  const own = { autoAllow: 3, delay: 0 };
  for (const from of ['1@auto.test', '2@auto.test', '3@auto.test']) {
    await ask({ from }, own, zone);
    expect(await ask({ from }, own, zone)).toEqual(['passed', Action.ACCEPT]);
  }
  expect(await ask({ from: '4@auto.test' }, own, zone)).toEqual(['auto_allowed', Action.ACCEPT]);
});

test.each([
  [{ exempt: ['192.0.2.0/24'] }, 'exempt'],
  [{ exemptSenders: ['exempt.test'] }, 'exempt'],
])('%j', async (own, outcome) => {
  expect((await ask({ from: 'a@sub.exempt.test' }, own))[0]).toBe(outcome);
});

test('a simulation asks and changes nothing', async () => {
  const question = { origin: 'dry', reversePath: 'a@dry.test', recipient: 'u@here.test', delayMs: 0, windowMs: 60_000 };
  const rest = { rememberMs: 60_000, autoAllow: 1 };
  for (const _time of [1, 2]) expect((await greylist.ask({ ...question, ...rest, dryRun: true })).outcome).toBe('new');
  expect((await greylist.ask({ ...question, ...rest, dryRun: false })).outcome).toBe('new');
});

test('on a Redis Cluster: asked, shown, forgotten; answers of DNS are shared whatever their server', async () => {
  const clustered = await connectRedis({ url: shards[0].url, cluster: true, commandTimeoutMs: 1_000 }, () => undefined);
  try {
    await vi.waitFor(() => expect(clustered.status).toBe('ready'), 10_000);
    const store = redisGreylist(clustered, (reason) => failures.push(reason));
    const times = { delayMs: 0, windowMs: 60_000, rememberMs: 60_000, autoAllow: 0, dryRun: false };
    const triplet = { reversePath: 'a@b.test', recipient: 'u@here.test' };
    const origins = Array.from({ length: 20 }, (_, at) => `origin${at}.test`);
    for (const outcome of ['new', 'passed', 'known'])
      for (const origin of origins) expect((await store.ask({ origin, ...triplet, ...times })).outcome).toBe(outcome);
    const desk = new GreylistDesk(clustered);
    expect(await desk.show({ client: 'origin3.test', ...triplet })).toMatchObject({ state: 'passed', originPassed: 1 });
    expect(await desk.clear({ client: 'origin3.test', ...triplet })).toBe(2);
    expect(await desk.clearAll()).toBe(2 * (origins.length - 1));
    const answers = sharedAnswers(clustered);
    const names = Array.from({ length: 20 }, (_, at) => `name${at}.test`);
    for (const name of names) await answers.set(name, Buffer.from(name), 60_000);
    for (const name of names) expect(String(await answers.get(name))).toBe(name);
  } finally {
    clustered.disconnect();
  }
}, 60_000);

test.each([
  ['pass', 'unavailable', Action.ACCEPT],
  ['defer', 'unavailable_defer', Action.TEMPFAIL],
])('a store that does not answer in time is one that is away: %s', async (whenAway, outcome, action) => {
  const tools = { greylist: { ask: () => new Promise<never>(() => undefined) } };
  const snapshot = settings({ greylist: { whenAway, timeout: '100ms' } });
  const verdict = await askEnvelope(ground({ clock: systemClock, snapshot, tools }), {});
  expect(verdict.findings.find(({ check }) => check === 'greylist')).toMatchObject({ outcome });
  expect(verdict.recipients[0]?.decision?.action).toBe(action);
});

test('Redis away is as configured, and told', async () => {
  await redis.stop('SIGKILL');
  await vi.waitFor(() => expect(client.status).not.toBe('ready'), 5_000);
  expect(await ask({ from: 'a@away.test' })).toEqual(['unavailable', Action.ACCEPT]);
  expect(await ask({ from: 'a@away.test' }, { whenAway: 'defer' })).toEqual(['unavailable_defer', Action.TEMPFAIL]);
  expect(failures.length).toBeGreaterThan(0);
});
