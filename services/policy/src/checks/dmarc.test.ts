import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground } from '../testing/ground.js';
import { signedMessage as good, plain, dkimZone as zone } from '../testing/signed-message.js';

test.each<[string, string, string, string, Action, string]>([
  ['pass', 'v=DMARC1; p=reject', 'reject', good, Action.ACCEPT, ''],
  ['fail', 'v=DMARC1; p=reject', 'reject', plain, Action.REJECT, '5.7.1'],
  ['fail', 'v=DMARC1; p=reject', 'mark', plain, Action.ACCEPT, ''],
  ['fail', 'v=DMARC1; p=quarantine', 'reject', plain, Action.QUARANTINE, ''],
  ['fail', 'v=DMARC1; p=none', 'reject', plain, Action.ACCEPT, ''],
  ['fail', 'v=DMARC1; p=reject; t=y', 'reject', plain, Action.QUARANTINE, ''],
  ['none', 'no record', 'reject', plain, Action.ACCEPT, ''],
])('DMARC %s, %s, %s', async (outcome, record, onFail, message, action, enhanced) => {
  const here = ground({
    zone: { ...zone, '_dmarc.sender.test': { TXT: [record] } },
    snapshot: { checks: { dmarc: { enabled: true, onFail } } },
  });
  const verdict = await askContent(here, message, {});
  expect(verdict.findings.find(({ check }) => check === 'dmarc')?.outcome).toBe(outcome);
  expect(verdict.decision).toMatchObject({ action, enhancedCode: enhanced });
});

test('DNS away for DMARC is a temporary error and no refusal', async () => {
  const here = ground({
    zone: { ...zone, '_dmarc.sender.test': 'timeout' },
    snapshot: { checks: { dmarc: { enabled: true, onFail: 'reject' } } },
  });
  const verdict = await askContent(here, plain, {});
  expect(verdict.findings.at(-1)).toMatchObject({ check: 'dmarc', outcome: 'temperror' });
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
});

test('an aligned SPF pass of RCPT is enough for DMARC at the end of data', async () => {
  const here = ground({
    zone: {
      '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] },
      'sender.test': { TXT: ['v=spf1 ip4:192.0.2.10 -all'] },
    },
    snapshot: { checks: { spf: { enabled: true, onFail: 'mark' }, dmarc: { enabled: true, onFail: 'reject' } } },
  });
  const before = await askEnvelope(here);
  const verdict = await askContent(here, plain, {}, before);
  expect(verdict.findings).toMatchObject([
    { check: 'dmarc', outcome: 'pass', evidence: { aligned_spf: 'sender.test' } },
  ]);
  expect(here.observed.filter((seen) => seen.startsWith('spf'))).toHaveLength(1);
});
