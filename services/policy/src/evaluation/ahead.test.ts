// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** One request while DNS is silent: its checks share its time, run beside each other, and each comes to its declared fallback before it is over. */
import { systemClock } from '@postern/clock';
import { DnsClient } from '@postern/dns';
import { createZone, startDnsServer, type TestDnsServer } from '@postern/dns/testing';
import { Action, EvaluateRequest, SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { simulate } from '../simulation/simulate.js';
import { envelopeStages, factsOf, type GroundOptions, ground, settings } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';

let server: TestDnsServer;
beforeAll(async () => {
  server = await startDnsServer({});
  server.script('*', { kind: 'timeout' });
});
afterAll(() => server.stop());

const asked = ['ptr', 'helo', 'spf', 'sender'] as const;

async function ask(own: Readonly<Record<string, object>>, deadlineMs: number, options: Partial<GroundOptions> = {}) {
  const clock = systemClock;
  const resolver = new DnsClient({ clock, servers: [server.server], timeoutMs: 20_000 });
  const here = ground({ clock, resolver, snapshot: settings(own), ...options });
  const facts = factsOf({ findings: [] });
  const request = EvaluateRequest.fromPartial({ sessionId: 's', sequence: 1, stages: envelopeStages, facts });
  const begun = clock.monotonic();
  const verdict = await here.judge.evaluate(request, deadlineMs);
  const outcomeOf = (name: string) => verdict.findings.find(({ check }) => check === name)?.outcome;
  const outcomes = Object.fromEntries([...asked, 'recipients'].map((name) => [name, outcomeOf(name)]));
  return { verdict, outcomes, tookMs: clock.monotonic() - begun };
}

const all = (timeout: string) => Object.fromEntries(asked.map((name) => [name, { onFail: 'mark', timeout }]));
const fellBack = {
  ...Object.fromEntries(asked.map((name) => [name, 'temperror'])),
  recipients: 'exists',
};

test.each<[string, string, number]>([
  ['timeouts that add up beyond the deadline', '700ms', 1_600],
  ['timeouts longer than the deadline', '30s', 1_600],
])('%s', async (_what, timeout, deadlineMs) => {
  const { verdict, outcomes, tookMs } = await ask(all(timeout), deadlineMs);
  expect(outcomes).toEqual(fellBack);
  expect(verdict.recipients[0]?.decision?.action).toBe(Action.ACCEPT);
  expect(tookMs).toBeLessThan(deadlineMs);
});

test('scopes that ask once more have their part of the time', async () => {
  const snapshot = {
    ...settings(all('30s')),
    tenants: [{ name: 't1', checks: JSON.stringify({ greylist: { enabled: true, onFail: 'mark' } }) }],
  };
  const { verdict, outcomes } = await ask({}, 2_000, { snapshot });
  expect(outcomes).toEqual(fellBack);
  expect(verdict.recipients[0]?.decision?.action).toBe(Action.ACCEPT);
});

test('what a rule skips meanwhile does not count', async () => {
  const rules = [{ event: 'connect', then: [{ skip: { check: 'spf' } }] }];
  const own = { ...all('700ms'), spf: { onFail: 'reject', timeout: '700ms' } };
  const { verdict, outcomes } = await ask(own, 5_000, { rules });
  expect(outcomes).toEqual({ ...fellBack, spf: 'skipped' });
  expect(verdict.recipients[0]?.decision?.action).toBe(Action.ACCEPT);
});

test('where DNS answers nothing is asked before its stage', async () => {
  const resolver = createZone({ '10.2.0.192.bl.test': { A: ['127.0.0.2'] } });
  const own = { ...all('700ms'), dnsbl: { onFail: 'reject', zones: ['bl.test'], selfTest: false } };
  const { verdict } = await ask(own, 5_000, { resolver });
  expect(verdict.decision?.action).toBe(Action.REJECT);
  expect(resolver.asked().filter((name) => name.includes('sender.test'))).toEqual([]);
});

test('a simulation has all its commands within the time of its call, and says what a session is told', async () => {
  const clock = systemClock;
  const resolver = new DnsClient({ clock, servers: [server.server], timeoutMs: 20_000 });
  const { judge, snapshot } = ground({
    clock,
    resolver,
    snapshot: settings({ ...all('30s'), dmarc: { timeout: '30s' } }),
  });
  const request = SimulateRequest.fromPartial({
    facts: factsOf({ findings: [] }),
    content: Buffer.from('From: a@sender.test\r\n\r\nbody\r\n'),
  });
  const begun = clock.monotonic();
  const deadlineMs = 3_000;
  const told = await simulate(
    { judge, recordings: memoryRecordings(), clock, maxHops: 25, maxLineLength: 65_536, deadlineMs },
    request,
    snapshot,
  );
  expect(clock.monotonic() - begun).toBeLessThan(deadlineMs + 1_000);
  expect(told.replies.map(({ replyCode }) => replyCode)).toEqual([220, 250, 250, 250, 250]);
});
