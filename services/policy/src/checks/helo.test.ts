import type { ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const zone: ZoneData = { 'a.test': { A: ['192.0.2.1'] }, 'm.test': { MX: [[10, 'a.test']] }, 'away.test': 'servfail' };

test.each<[string, string, Action]>([
  ['a.test', 'valid', Action.ACCEPT],
  ['m.test', 'valid', Action.ACCEPT],
  ['[192.0.2.10]', 'literal', Action.ACCEPT],
  ['[192.0.2.11]', 'foreign_literal', Action.REJECT],
  ['[IPv6:2001:db8::1]', 'foreign_literal', Action.REJECT],
  ['192.0.2.10', 'malformed', Action.REJECT],
  ['a b', 'malformed', Action.REJECT],
  ['localhost', 'bare', Action.REJECT],
  ['MX.postern.test', 'ours', Action.REJECT],
  ['here.test', 'ours', Action.REJECT],
  ['nowhere.test', 'unresolved', Action.REJECT],
  ['away.test', 'temperror', Action.TEMPFAIL],
])('%s is %s', async (helo, outcome, action) => {
  const verdict = await askEnvelope(ground({ zone, snapshot: settings({ helo: { onFail: 'reject' } }) }), { helo });
  expect(verdict.findings[0]).toMatchObject({ check: 'helo', outcome });
  expect(verdict.decision?.action).toBe(action);
});
