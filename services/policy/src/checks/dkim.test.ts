import { generateKeyPairSync } from 'node:crypto';
import { systemClock } from '@postern/clock';
import type { ZoneData } from '@postern/dns/testing';
import { DkimSigner } from '@postern/mail-auth';
import { readHeaderSection } from '@postern/mail-message';
import { Action, ContentPlan, EvaluateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, factsOf, ground } from '../testing/ground.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');

function signed(text: string, domain: string): string {
  const bytes = Buffer.from(text.replaceAll('\n', '\r\n'));
  const section = readHeaderSection(bytes);
  const keys = [{ domain, selector: 's1', privateKey }];
  const signer = new DkimSigner(section.fields, { keys, clock: systemClock });
  signer.update(bytes.subarray(section.bodyOffset));
  return (signer.finish().join('') + bytes.toString()).replaceAll('\r\n', '\n');
}

const plain = 'From: Ann <a@sender.test>\nSubject: hello\n\nbody\n';
const good = signed(plain, 'sender.test');
const zone: ZoneData = { 's1._domainkey.sender.test': { TXT: [`v=DKIM1; k=ed25519; p=${key}`] } };
const onlyDkim = (onFail: string) => ({ checks: { dkim: { enabled: true, onFail } } });

test.each<[string, string, ZoneData, string, Action, string]>([
  ['pass', good, zone, 'reject', Action.ACCEPT, ''],
  ['none', plain, zone, 'reject', Action.ACCEPT, ''],
  ['fail', good.replace('body', 'other'), zone, 'reject', Action.REJECT, '5.7.20'],
  ['fail', good.replace('body', 'other'), zone, 'mark', Action.ACCEPT, ''],
  ['permerror', good, {}, 'reject', Action.REJECT, '5.7.20'],
  ['temperror', good, { 's1._domainkey.sender.test': 'timeout' }, 'reject', Action.TEMPFAIL, '4.7.20'],
])('DKIM %s', async (outcome, message, data, onFail, action, enhanced) => {
  const here = ground({ zone: data, snapshot: onlyDkim(onFail) });
  expect((await askEnvelope(here)).contentPlan).toBe(ContentPlan.BODY);
  const verdict = await askContent(here, message, {});
  expect(verdict.findings.find(({ check }) => check === 'dkim')?.outcome).toBe(outcome);
  expect(verdict.decision).toMatchObject({ action, enhancedCode: enhanced });
  expect(verdict.senderAuthenticated).toBe(outcome === 'pass');
  const [group] = verdict.groups;
  if (action === Action.ACCEPT)
    expect(group?.rendering?.edits.at(-1)?.value).toContain(`mx.postern.test;\r\n\tdkim=${outcome}`);
  else expect(group).toBeUndefined();
});

test('a message in chunks of any size comes to the same verdict', async () => {
  const here = ground({ zone, snapshot: onlyDkim('reject') });
  const whole = await askContent(here, good, {});
  const bytes = Buffer.from(good.replaceAll('\n', '\r\n'));
  const stages = [Stage.HEADERS, Stage.BODY];
  for (const size of [1, 7, 100, bytes.length]) {
    const session = here.judge.open(
      EvaluateRequest.fromPartial({ sessionId: 's', sequence: 2, stages, facts: factsOf({ asked: false }) }),
    );
    for (let at = 0; at < bytes.length; at += size) session.write(bytes.subarray(at, at + size));
    const verdict = await session.finish(bytes.length, 5_000);
    expect(verdict.groups).toEqual(whole.groups);
    expect(verdict.decision).toEqual(whole.decision);
  }
});

test('a broken upload is no verdict', async () => {
  const here = ground();
  const session = here.judge.open(EvaluateRequest.fromPartial({ stages: [Stage.BODY], facts: factsOf() }));
  session.write(Buffer.from('From: a\r\n\r\nhalf'));
  await expect(session.finish(1_000, 5_000)).rejects.toMatchObject({ id: 'invalid-argument' });
});

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
