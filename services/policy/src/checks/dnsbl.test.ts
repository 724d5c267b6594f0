import { systemClock } from '@postern/clock';
import { DnsClient } from '@postern/dns';
import { startDnsServer, type TestDnsServer, type ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createListHealth } from '../dns-lists/list-health.js';
import { askContent, askEnvelope, type Described, ground, settings } from '../testing/ground.js';

const checks = (onFail: string, ...dnsblZones: string[]) => ({
  checks: { dnsbl: { enabled: true, onFail }, dnsblZones },
});
const listing: ZoneData = { '10.2.0.192.bl.test': { A: ['127.0.0.2'], TXT: ['spam source, see https://bl.test'] } };

test.each<[string, ZoneData, string, Action]>([
  ['listed', listing, 'reject', Action.REJECT],
  ['listed', listing, 'mark', Action.ACCEPT],
  ['clear', {}, 'reject', Action.ACCEPT],
  ['unusable', { '10.2.0.192.bl.test': { A: ['127.255.255.254'] } }, 'reject', Action.ACCEPT],
  ['unusable', { '10.2.0.192.bl.test': { A: ['203.0.113.7'] } }, 'reject', Action.ACCEPT],
  ['dns_temperror', { '10.2.0.192.bl.test': 'servfail' }, 'reject', Action.ACCEPT],
])('%s', async (outcome, zone, onFail, action) => {
  const here = ground({ zone, snapshot: checks(onFail, 'bl.test') });
  const verdict = await askEnvelope(here);
  expect(verdict.findings[0]).toMatchObject({ check: 'dnsbl', outcome });
  expect(verdict.decision?.action).toBe(action);
  expect(here.faults).toHaveLength(outcome === 'unusable' ? 1 : 0);
});

test('a rejection names the zone and what it says', async () => {
  const verdict = await askEnvelope(ground({ zone: listing, snapshot: checks('reject', 'clean.test', 'bl.test') }));
  expect(verdict.decision).toMatchObject({
    replyCode: 554,
    enhancedCode: '5.7.1',
    text: 'Client address is listed by bl.test: spam source, see https://bl.test',
    decidedBy: 'dnsbl',
  });
});

test.each([
  ['one of three is broken', ['bl.test', 'a.test', 'b.test'], 'clear'],
  ['all are broken', ['bl.test', 'c.test'], 'unusable'],
])('where %s', async (_, zones, outcome) => {
  const broken = { A: ['127.255.255.254'] };
  const zone = { '10.2.0.192.bl.test': broken, '10.2.0.192.c.test': broken };
  const verdict = await askEnvelope(ground({ zone, snapshot: checks('reject', ...zones) }));
  expect(verdict.findings[0]).toMatchObject({ check: 'dnsbl', outcome });
  expect(verdict.findings[0]?.evidence.ignored).toContain('bl.test=127.255.255.254');
});

test('one list away does not hide a listing by another', async () => {
  const zone = { ...listing, '10.2.0.192.away.test': 'timeout' } as const;
  const verdict = await askEnvelope(ground({ zone, snapshot: checks('reject', 'away.test', 'bl.test') }));
  expect(verdict.findings[0]).toMatchObject({ outcome: 'listed', evidence: { zones: 'bl.test', codes: '127.0.0.2' } });
});

describe('over a real DNS server with a list that never answers', () => {
  let server: TestDnsServer;
  beforeAll(async () => {
    server = await startDnsServer({
      ...listing,
      '2.0.0.127.bl.test': { A: ['127.0.0.2'] },
      'spam.test.ul.test': { A: ['127.0.0.2'] },
      'test.ul.test': { A: ['127.0.0.2'] },
    });
    for (const name of ['10.2.0.192.dead.test', '2.0.0.127.dead.test', '1.0.0.127.dead.test'])
      server.script(name, { kind: 'timeout' });
    for (const name of ['spam.test.dead.test', 'test.dead.test', 'invalid.dead.test'])
      server.script(name, { kind: 'timeout' });
  });
  afterAll(() => server.stop());

  const there = (checked: Readonly<Record<string, object>>) => {
    const clock = systemClock;
    const resolver = new DnsClient({ clock, servers: [server.server] });
    const listHealth = createListHealth({ clock, resolver, onChanged: () => undefined });
    return ground({ clock, resolver, tools: { listHealth }, snapshot: settings(checked) });
  };
  const rounds = [
    [['dead.test', 'bl.test'], true],
    [['dead.test', 'bl.test'], false],
    [['bl.test', 'dead.test'], true],
    [['dead.test', 'bl.test'], false],
  ] as const;

  test.each(rounds)('a listing by another counts: %j, tested first %j', async (zones, selfTest) => {
    const here = there({ dnsbl: { onFail: 'reject', zones: [...zones], timeout: '300ms', selfTest } });
    const verdict = await askEnvelope(here);
    expect(verdict.findings[0]).toMatchObject({ check: 'dnsbl', outcome: 'listed' });
    expect(verdict.decision?.replyCode).toBe(554);
  });

  test.each(rounds)('so it does of a domain: %j, tested first %j', async (zones, selfTest) => {
    const named = zones.map((zone) => zone.replace('bl.', 'ul.'));
    const here = there({ uribl: { onFail: 'reject', zones: named, timeout: '300ms', selfTest } });
    const verdict = await askContent(here, 'From: a@ok.test\n\nhttp://spam.test/\n', {});
    expect(verdict.findings.find(({ check }) => check === 'uribl')).toMatchObject({ outcome: 'listed' });
    expect(verdict.decision?.replyCode).toBe(550);
  });
});

test.each<[string, Described]>([
  ['a login', { user: 'u@here.test', role: 'submission' }],
  ['a relay client', { relayRight: true }],
])('%s is not asked about', async (_who, described) => {
  const here = ground({ zone: listing, snapshot: checks('reject', 'bl.test') });
  expect((await askEnvelope(here, described)).decision?.action).toBe(Action.ACCEPT);
  expect(here.observed).not.toContain('dnsbl listed');
});

test('a finding of another pod is not asked for again, a missing one is, without consequence', async () => {
  const first = ground({ zone: listing, snapshot: checks('mark', 'bl.test') });
  const { findings } = await askEnvelope(first);
  const second = ground({ zone: listing, snapshot: checks('reject', 'bl.test') });
  await askEnvelope(second, { findings }, [5]);
  expect(second.observed).toEqual(['recipients exists']);
  const verdict = await askEnvelope(second, {}, [5]);
  expect(second.observed).toContain('dnsbl listed');
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
});

test('what lists say has no registered method and is in no Authentication-Results', async () => {
  const here = ground({
    ...{
      zone: { ...listing, '10.2.0.192.in-addr.arpa': { PTR: ['client.test'] }, 'client.test': { A: ['192.0.2.10'] } },
    },
    snapshot: settings({
      ...{
        dnsbl: { zones: ['bl.test'], selfTest: false, onFail: 'mark' },
        dnswl: { zones: ['bl.test'], selfTest: false },
      },
      ...{ ptr: { onFail: 'mark' }, lists: { allow: ['sender.test'] } },
    }),
  });
  const before = await askEnvelope(here);
  expect(here.observed).toEqual(expect.arrayContaining(['dnsbl listed', 'ptr confirmed', 'lists allowed']));
  const { groups } = await askContent(here, 'From: a@b.test\n\nx\n', {}, before);
  expect(groups.flatMap(({ rendering }) => rendering?.edits.map(({ name, value }) => [name, value]))).toEqual([
    ['Authentication-Results', 'mx.postern.test;\r\n\tiprev=pass'],
  ]);
});
