import type { ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, type Described, ground } from '../testing/ground.js';

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

test('one list away does not hide a listing by another', async () => {
  const zone = { ...listing, '10.2.0.192.away.test': 'timeout' } as const;
  const verdict = await askEnvelope(ground({ zone, snapshot: checks('reject', 'away.test', 'bl.test') }));
  expect(verdict.findings[0]).toMatchObject({ outcome: 'listed', evidence: { zones: 'bl.test', codes: '127.0.0.2' } });
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
