import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from '../testing/ground.js';

test.each([
  ['pass', 'v=spf1 ip4:192.0.2.0/24 -all', 'reject', Action.ACCEPT, undefined, true],
  ['fail', 'v=spf1 -all', 'reject', Action.REJECT, '5.7.23', false],
  ['fail', 'v=spf1 -all', 'mark', Action.ACCEPT, undefined, false],
  ['softfail', 'v=spf1 ~all', 'reject', Action.ACCEPT, undefined, false],
  ['none', 'other text', 'reject', Action.ACCEPT, undefined, false],
  ['permerror', 'v=spf1 foo:bar -all', 'reject', Action.ACCEPT, undefined, false],
] as const)('SPF %s of %s with %s', async (outcome, record, onFail, action, enhanced, authenticated) => {
  const here = ground({
    zone: { 'sender.test': { TXT: [record] } },
    snapshot: { checks: { spf: { enabled: true, onFail, timeoutMs: 0 } } },
  });
  const verdict = await askEnvelope(here);
  expect(verdict.findings.find(({ check }) => check === 'spf')?.outcome).toBe(outcome);
  expect(verdict.decision?.action).toBe(action);
  if (enhanced !== undefined)
    expect(verdict.decision).toMatchObject({ replyCode: 550, enhancedCode: enhanced, decidedBy: 'spf' });
  expect(verdict.senderAuthenticated).toBe(authenticated);
});

test('SPF that cannot be asked with reject is temporary', async () => {
  const here = ground({
    zone: { 'sender.test': 'timeout' },
    snapshot: { checks: { spf: { enabled: true, onFail: 'reject', timeoutMs: 0 } } },
  });
  const verdict = await askEnvelope(here);
  expect(verdict.decision).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451, enhancedCode: '4.7.24' });
});

test('a null reverse-path is judged by its greeting and proves no sender', async () => {
  const here = ground({
    zone: { 'client.test': { TXT: ['v=spf1 ip4:192.0.2.10 -all'] } },
    snapshot: { checks: { spf: { enabled: true, onFail: 'reject' } } },
  });
  const verdict = await askEnvelope(here, { from: '' });
  expect(verdict.findings[0]).toMatchObject({ outcome: 'pass', evidence: { identity: 'helo', domain: 'client.test' } });
  expect(verdict.senderAuthenticated).toBe(false);
});

test.each([
  ['fail', 'v=spf1 -all', 'helo', Action.REJECT],
  ['pass', 'v=spf1 ip4:192.0.2.10 -all', 'mailfrom', Action.ACCEPT],
  ['pass', 'v=spf1 ~all', 'mailfrom', Action.ACCEPT],
  ['pass', 'no record', 'mailfrom', Action.ACCEPT],
  ['pass', 'v=spf1 nonsense', 'mailfrom', Action.ACCEPT],
] as const)('with helo on the greeting counts where it fails: %s of %s', async (outcome, record, identity, action) => {
  const zone = { 'client.test': { TXT: [record] }, 'sender.test': { TXT: ['v=spf1 ip4:192.0.2.10 -all'] } };
  for (const helo of [true, false]) {
    const here = ground({ zone, snapshot: settings({ spf: { onFail: 'reject', helo } }) });
    const verdict = await askEnvelope(here);
    const [finding] = verdict.findings;
    expect(finding).toMatchObject({
      outcome: helo ? outcome : 'pass',
      evidence: { identity: helo ? identity : 'mailfrom' },
    });
    expect(finding?.evidence.domain).toBe(helo && identity === 'helo' ? 'client.test' : 'sender.test');
    expect(verdict.decision?.action).toBe(helo ? action : Action.ACCEPT);
  }
});

test('a greeting that cannot be looked up takes nothing from a pass of the reverse-path', async () => {
  const zone = { 'client.test': 'timeout' as const, 'sender.test': { TXT: ['v=spf1 ip4:192.0.2.10 -all'] } };
  const verdict = await askEnvelope(ground({ zone, snapshot: settings({ spf: { onFail: 'reject', helo: true } }) }));
  expect(verdict.findings[0]).toMatchObject({ outcome: 'pass', evidence: { helo: 'temperror' } });
});

test.each([
  ['softfail', 'v=spf1 ~all', 'onSoftfail'],
  ['neutral', 'v=spf1 ?all', 'onNeutral'],
  ['none', 'other text', 'onNone'],
  ['permerror', 'v=spf1 foo:bar -all', 'onPermerror'],
] as const)('%s has a consequence of its own', async (outcome, record, field) => {
  const verdictWith = async (spf: object) => {
    const here = ground({ zone: { 'sender.test': { TXT: [record] } }, snapshot: settings({ spf }) });
    const { findings, decision } = await askEnvelope(here);
    return [findings[0]?.outcome, decision?.action, decision?.enhancedCode, findings[0]?.action];
  };
  expect(await verdictWith({ [field]: 'reject' })).toEqual([outcome, Action.REJECT, '5.7.23', 'reject']);
  expect(await verdictWith({ [field]: 'quarantine' })).toEqual([outcome, Action.QUARANTINE, '', 'quarantine']);
  expect(await verdictWith({ [field]: 'tag' })).toEqual([outcome, Action.ACCEPT, '', 'tag']);
  expect(await verdictWith({ onFail: 'reject' })).toEqual([outcome, Action.ACCEPT, '', 'mark']);
});
