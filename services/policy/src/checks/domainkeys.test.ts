/** DomainKeys in the verdict: off by default, written down where on, and no help for DMARC. */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { Action, ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground, settings } from '../testing/ground.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const zone = {
  's._domainkey.sender.test': { TXT: [`k=rsa; p=${p}`] },
  '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] },
};
const text = 'From: a@sender.test\n\nbody\n';
const b = createSign('sha1').update(text.replaceAll('\n', '\r\n')).sign(privateKey, 'base64');
const signed = `DomainKey-Signature: a=rsa-sha1; c=simple; q=dns; d=sender.test; s=s; b=${b}\n${text}`;

test.each<[string, string, string, Action]>([
  ['pass', signed, 'reject', Action.ACCEPT],
  ['none', text, 'reject', Action.ACCEPT],
  ['fail', signed.replace('body', 'other'), 'reject', Action.REJECT],
  ['fail', signed.replace('body', 'other'), 'mark', Action.ACCEPT],
])('%s: %#', async (outcome, message, onFail, action) => {
  const here = ground({ zone, snapshot: settings({ domainkeys: { onFail } }) });
  expect((await askEnvelope(here)).contentPlan).toBe(ContentPlan.BODY);
  const verdict = await askContent(here, message, {});
  expect(verdict.findings.find(({ check }) => check === 'domainkeys')?.outcome).toBe(outcome);
  expect(verdict.decision?.action).toBe(action);
  const edit = verdict.groups[0]?.rendering?.edits.find(({ name }) => name === 'Authentication-Results');
  if (action === Action.ACCEPT) expect(edit?.value).toContain(`domainkeys=${outcome}`);
});

test('a pass does not make DMARC pass nor the sender known; DNS away is temporary', async () => {
  const here = ground({ zone, snapshot: settings({ domainkeys: {}, dmarc: { onFail: 'mark' } }) });
  const verdict = await askContent(here, signed, {});
  expect(verdict.findings.map(({ check, outcome }) => `${check} ${outcome}`)).toEqual([
    'domainkeys pass',
    'dmarc fail',
  ]);
  expect(verdict.senderAuthenticated).toBe(false);
  const away = ground({
    zone: { 's._domainkey.sender.test': 'timeout' },
    snapshot: settings({ domainkeys: { onFail: 'reject' } }),
  });
  expect((await askContent(away, signed, {})).decision).toMatchObject({
    action: Action.TEMPFAIL,
    enhancedCode: '4.7.20',
  });
});

test('it is off by default', async () => {
  const here = ground({ zone, snapshot: { checks: { document: '{}' } } });
  expect((await askContent(here, signed, {})).findings.some(({ check }) => check === 'domainkeys')).toBe(false);
});
