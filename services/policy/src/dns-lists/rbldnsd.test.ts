/** The blocklist check over a real rbldnsd: a listing with its text, codes, error codes, a list of everybody, and a list that is silent. */
import { systemClock } from '@postern/clock';
import { createDnsClient } from '@postern/dns';
import { startDnsServer } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { type Rbldnsd, startRbldnsd } from '@postern/testkit/neighbours';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';
import { createListHealth } from './list-health.js';

const head = '$SOA 300 ns.test host.test 1 600 300 86400 300\n$NS 300 ns.test\n';
const point = '127.0.0.2 :127.0.0.2:test point\n';
let rbldnsd: Rbldnsd;

beforeAll(async () => {
  rbldnsd = await startRbldnsd({
    'good.test': `${head}${point}192.0.2.0/28 :127.0.0.4:listed, see https://good.test/$\n`,
    'blocked.test': `${head}:127.255.255.254:query through your own resolver\n0.0.0.0/1\n128.0.0.0/1\n`,
    'everybody.test': `${head}:127.0.0.2:everybody\n0.0.0.0/1\n128.0.0.0/1\n`,
  });
}, 180_000);
afterAll(() => rbldnsd?.stop());

async function ask(dnsbl: object, client = '192.0.2.10') {
  const resolver = createDnsClient({ clock: systemClock, servers: [rbldnsd.server], timeoutMs: 400 });
  const changes: string[] = [];
  const onChanged = (zone: string, _usable: boolean, reason: string): void => void changes.push(`${zone} ${reason}`);
  const listHealth = createListHealth({ clock: systemClock, resolver, onChanged });
  const verdict = await askEnvelope(
    ground({ clock: systemClock, resolver, snapshot: settings({ dnsbl }), tools: { listHealth } }),
    { client },
  );
  return { outcome: verdict.findings[0]?.outcome, decision: verdict.decision, changes };
}

test('a listing refuses with the text of the list', async () => {
  const { outcome, decision } = await ask({ zones: ['good.test'] });
  expect(outcome).toBe('listed');
  expect(decision?.text).toContain('listed, see https://good.test/192.0.2.10');
  expect((await ask({ zones: ['good.test'] }, '192.0.2.99')).outcome).toBe('clear');
  expect((await ask({ lists: [{ zone: 'good.test', codes: ['127.0.0.2'] }] })).outcome).toBe('clear');
});

test.each([
  ['blocked.test', 'answers 127.255.255.254'],
  ['everybody.test', 'lists 127.0.0.1'],
])('%s never counts: %s', async (zone, reason) => {
  const { outcome, decision, changes } = await ask({ zones: [zone] });
  expect([outcome, decision?.action]).toEqual(['unusable', Action.ACCEPT]);
  expect(changes).toEqual([`${zone} ${reason}`]);
  expect((await ask({ zones: [zone], selfTest: false })).decision?.action).toBe(
    zone === 'blocked.test' ? Action.ACCEPT : Action.REJECT,
  );
});

test('a zone the server does not have is no listing', async () => {
  expect((await ask({ zones: ['away.test'], selfTest: false })).outcome).toBe('dns_temperror');
});

test('lists that are silent hold mail up no longer than their time, and refuse nobody', async () => {
  const silent = await startDnsServer({});
  silent.script('*', { kind: 'timeout' });
  try {
    const resolver = createDnsClient({ clock: systemClock, servers: [silent.server], timeoutMs: 5_000 });
    const listHealth = createListHealth({ clock: systemClock, resolver, onChanged: () => undefined });
    const zones = ['silent1.test', 'silent2.test', 'silent3.test'];
    const here = ground({
      clock: systemClock,
      resolver,
      snapshot: settings({ dnsbl: { zones, timeout: '300ms' } }),
      tools: { listHealth },
    });
    const begun = systemClock.monotonic();
    const verdict = await askEnvelope(here);
    expect(systemClock.monotonic() - begun).toBeLessThan(2_000);
    expect(verdict.findings[0]).toMatchObject({ check: 'dnsbl', outcome: 'dns_temperror' });
    expect(verdict.decision?.action).toBe(Action.ACCEPT);
  } finally {
    await silent.stop();
  }
});
