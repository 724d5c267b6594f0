import type { ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const zone: ZoneData = {
  'mx.test': { MX: [[10, 'a.test']] },
  'a.test': { A: ['192.0.2.1'] },
  'six.test': { AAAA: ['2001:db8::1'] },
  'null.test': { MX: [[0, '']], A: ['192.0.2.1'] },
  'xn--bcher-kva.test': { MX: [[10, 'a.test']] },
  'away.test': 'servfail',
  'half.test': { A: 'timeout', AAAA: 'timeout' },
  'text.test': { TXT: ['x'] },
};

test.each<[string, string, Action]>([
  ['u@mx.test', 'mx', Action.ACCEPT],
  ['u@a.test', 'address', Action.ACCEPT],
  ['u@six.test', 'address', Action.ACCEPT],
  ['u@bücher.test', 'mx', Action.ACCEPT],
  ['u@xn--bcher-kva.test', 'mx', Action.ACCEPT],
  ['u@BÜCHER.test', 'mx', Action.ACCEPT],
  ['u@nirgends-bü.test', 'missing', Action.REJECT],
  ['u@null.test', 'null_mx', Action.REJECT],
  ['u@text.test', 'missing', Action.REJECT],
  ['u@nowhere.test', 'missing', Action.REJECT],
  ['u@away.test', 'temperror', Action.TEMPFAIL],
  ['u@half.test', 'temperror', Action.TEMPFAIL],
  ['u@[192.0.2.1]', 'invalid', Action.REJECT],
  ['u@sub.spared.test', 'exempt', Action.ACCEPT],
  ['u@here.test', 'exempt', Action.ACCEPT],
])('%s: %s', async (from, outcome, action) => {
  const snapshot = settings({ sender: { onFail: 'reject', exempt: ['spared.test'] } });
  const verdict = await askEnvelope(ground({ zone, snapshot }), { from });
  expect(verdict.findings[0]).toMatchObject({ check: 'sender', outcome });
  expect(verdict.decision?.action).toBe(action);
});

test('a bounce has no domain to ask about', async () => {
  const here = ground({ zone, snapshot: settings({ sender: { onFail: 'reject' } }) });
  await askEnvelope(here, { from: '' });
  expect(here.observed).toEqual(['recipients exists']);
});
