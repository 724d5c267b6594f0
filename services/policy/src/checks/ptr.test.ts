import type { ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const name = '10.2.0.192.in-addr.arpa';
const six = `${'1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0'}.8.b.d.0.1.0.0.2.ip6.arpa`;

test.each<[string, ZoneData, string, Action]>([
  ['confirmed', { [name]: { PTR: ['c.test'] }, 'c.test': { A: ['192.0.2.10'] } }, 'confirmed', Action.ACCEPT],
  ['confirmed', { [name]: { PTR: ['x.test', 'c.test'] }, 'c.test': { A: ['192.0.2.10'] } }, 'confirmed', Action.ACCEPT],
  ['unconfirmed', { [name]: { PTR: ['c.test'] }, 'c.test': { A: ['192.0.2.9'] } }, 'confirmed', Action.REJECT],
  ['unconfirmed', { [name]: { PTR: ['c.test'] } }, 'name', Action.ACCEPT],
  ['missing', {}, 'name', Action.REJECT],
  ['temperror', { [name]: 'servfail' }, 'name', Action.TEMPFAIL],
  ['temperror', { [name]: { PTR: ['c.test'] }, 'c.test': 'timeout' }, 'confirmed', Action.TEMPFAIL],
])('%s: %j, needs %s', async (outcome, zone, require, action) => {
  const verdict = await askEnvelope(ground({ zone, snapshot: settings({ ptr: { onFail: 'reject', require } }) }));
  expect(verdict.findings[0]).toMatchObject({ check: 'ptr', outcome });
  expect(verdict.decision?.action).toBe(action);
});

test('an IPv6 address is compared as an address, not as text', async () => {
  const zone: ZoneData = { [six]: { PTR: ['c.test'] }, 'c.test': { AAAA: ['2001:0db8:0:0::1'] } };
  const verdict = await askEnvelope(ground({ zone, snapshot: settings({ ptr: {} }) }), { client: '2001:db8::1' });
  expect(verdict.findings[0]?.outcome).toBe('confirmed');
});

test('an exempt client is not asked about', async () => {
  const snapshot = settings({ ptr: { onFail: 'reject', exempt: ['192.0.2.0/24'] } });
  const verdict = await askEnvelope(ground({ snapshot }));
  expect([verdict.findings[0]?.outcome, verdict.decision?.action]).toEqual(['exempt', Action.ACCEPT]);
});
