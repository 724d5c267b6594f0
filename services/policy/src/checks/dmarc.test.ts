import { createHash } from 'node:crypto';
import { systemClock } from '@postern/clock';
import { DnsClient } from '@postern/dns';
import { startDnsServer, type TestDnsServer, type ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askContent, askEnvelope, ground, settings } from '../testing/ground.js';
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

const judged = async (zones: ZoneData, own: object, message: string) => {
  const verdict = await askContent(ground({ zone: zones, snapshot: settings({ dmarc: own }) }), message, {});
  const { action, enhancedCode, replyCode } = verdict.decision ?? {};
  const { outcome, evidence } = verdict.findings.find(({ check }) => check === 'dmarc') ?? {};
  return { outcome, evidence, action, reply: replyCode === 0 ? '' : `${replyCode} ${enhancedCode}` };
};
const later = { outcome: 'temperror', action: Action.TEMPFAIL, reply: '451 4.7.1' };
const passed = { action: Action.ACCEPT, reply: '' };
const strict = { '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] } };
const away: ZoneData = { '_dmarc.sender.test': 'timeout' };

test.each<[string, ZoneData, object, string, object]>([
  ['the record away', away, { onFail: 'reject' }, plain, later],
  ['the record away, let pass', away, { onFail: 'reject', onTemperror: 'mark' }, plain, passed],
  ['the record away, only told', away, { onFail: 'mark' }, plain, passed],
  ['its own key away', { ...strict, 's1._domainkey.sender.test': 'timeout' }, { onFail: 'reject' }, good, later],
  [
    'its own key away, p=none',
    { '_dmarc.sender.test': { TXT: ['v=DMARC1; p=none'] }, 's1._domainkey.sender.test': 'timeout' },
    { onFail: 'reject' },
    good,
    { outcome: 'temperror', ...passed },
  ],
])('DNS away is never a 5xx: %s', async (_what, zones, own, message, expected) => {
  expect(await judged(zones, own, message)).toMatchObject(expected);
});

test.each<[string, string]>([
  ['a part that is none', 'From: a@sender.test, x'],
  ['a second field', 'From: a@sender.test\nFrom: x'],
  ['an angle that opens', 'From: a@sender.test <'],
  ['an angle with nothing', 'From: a@sender.test <>'],
  ['five others', 'From: a@sender.test, a@a.test, b@b.test, c@c.test, d@d.test, e@e.test'],
  ['a hundred mailboxes before', `From: ${'x@a.test, '.repeat(100)}a@sender.test`],
  ['quotes', 'From: "a@sender.test"'],
  ['an encoded word', 'From: =?utf-8?q?a=40sender=2Etest?='],
])('the author does not get away behind %s', async (_what, from) => {
  expect(await judged(strict, { onFail: 'reject' }, `${from}\nSubject: s\n\nbody\n`)).toMatchObject({
    ...{ outcome: 'fail', action: Action.REJECT, reply: '550 5.7.1' },
  });
});

test.each<[string, object, Action]>([
  ['From: nobody', { onFail: 'reject' }, Action.REJECT],
  ['Subject: no From', { onFail: 'reject' }, Action.REJECT],
  [`From: ${Array.from({ length: 11 }, (_, n) => `x@a${n}.test`).join(', ')}`, { onFail: 'reject' }, Action.REJECT],
  ['From: nobody', { onFail: 'reject', onPermerror: 'mark' }, Action.ACCEPT],
  ['From: nobody', { onFail: 'quarantine' }, Action.QUARANTINE],
  ['From: nobody', { onFail: 'mark' }, Action.ACCEPT],
])('a From that names no author or too many: %.20s %j', async (field, own, action) => {
  expect(await judged({}, own, `${field}\nSubject: s\n\nbody\n`)).toMatchObject({ outcome: 'permerror', action });
});

test('what reports need of the record is in the evidence, bounded', async () => {
  const rua = Array.from({ length: 40 }, (_, n) => `mailto:${n}${'r'.repeat(80)}@sender.test`);
  const record = `v=DMARC1; p=none; sp=quarantine; np=reject; adkim=s; rua=${rua.join(',')}`;
  const { evidence } = await judged({ '_dmarc.sender.test': { TXT: [record] } }, {}, plain);
  expect(evidence).toMatchObject({ p: 'none', sp: 'quarantine', np: 'reject', adkim: 's', aspf: 'r' });
  expect(evidence?.rua?.split(' ')).toEqual(rua.slice(0, 4));
});

describe('over a real DNS server', () => {
  let server: TestDnsServer;
  beforeAll(async () => {
    server = await startDnsServer(strict);
    server.script('s._domainkey.slow.test', { kind: 'timeout' });
    server.script('slow.test', { kind: 'timeout' });
    server.script('_dmarc.slow.test', { kind: 'timeout' });
  });
  afterAll(() => server.stop());

  const bodyHash = createHash('sha256').update('body\r\n').digest('base64');
  const slow = `DKIM-Signature: v=1; a=rsa-sha256; d=slow.test; s=s; h=from; bh=${bodyHash}; b=${'A'.repeat(342)}==`;

  test.each([1, 2, 3])('a selector, a reverse-path and a list that never answer hold up no refusal (%i)', async () => {
    const clock = systemClock;
    const resolver = new DnsClient({ clock, servers: [server.server] });
    const here = ground({
      clock,
      resolver,
      snapshot: settings({ dmarc: { onFail: 'reject', timeout: '400ms' }, dkim: { timeout: '400ms' } }),
    });
    const verdict = await askContent(here, `${slow}\n${plain}`, { from: 'a@slow.test' });
    expect(verdict.findings.find(({ check }) => check === 'dmarc')).toMatchObject({ outcome: 'fail' });
    expect(verdict.findings.find(({ check }) => check === 'dkim')).toMatchObject({ outcome: 'temperror' });
    expect(verdict.findings.find(({ check }) => check === 'dkim')?.evidence['signature.1']).toContain('slow.test');
    expect(verdict.decision).toMatchObject({ action: Action.REJECT, replyCode: 550 });
  });
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
