import type { ZoneData } from '@postern/dns/testing';
import { Action, ContentPlan, EvaluateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, factsOf, ground } from '../testing/ground.js';
import { signedMessage as good, plain, dkimZone as zone } from '../testing/signed-message.js';

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
