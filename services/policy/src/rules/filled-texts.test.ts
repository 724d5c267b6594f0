/** Texts with facts in them, as policy tells them: in the reply, in header fields, and per recipient. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is filled in is written so
import { HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground } from '../testing/ground.js';

const zone = {
  '10.2.0.192.bl.test': { A: ['127.0.0.2'], TXT: ['spam trap, see https://bl.test/192.0.2.10'] },
} as const;
const dnsbl = { enabled: false, zones: ['bl.test'], selfTest: false };
const checks = {
  document: JSON.stringify({ spf: { enabled: false }, dkim: { enabled: false }, dmarc: { enabled: false }, dnsbl }),
};

test('a refusal tells the text of the list and where to look it up; the text alone has the list asked', async () => {
  const text = '${client.address} is on ${dnsbl.zones}: ${dnsbl.texts}';
  const at = ground({
    ...{ zone, snapshot: { checks } },
    rules: [{ event: 'connect', when: 'client.port > 0', then: [{ reject: { text } }] }],
  });
  const { decision, recipients } = await askEnvelope(at);
  const told = [decision, ...recipients.map((one) => one.decision)].find((one) => one?.action === Action.REJECT);
  expect(told?.text).toBe('192.0.2.10 is on bl.test: spam trap, see https://bl.test/192.0.2.10');
});

test('each recipient hears its own', async () => {
  const at = ground({
    entries: { 'a@here.test': 'user', 'b@here.test': 'user' },
    rules: [{ event: 'rcpt', then: [{ reject: { text: 'nothing for ${recipient.user}' } }] }],
  });
  const { recipients } = await askEnvelope(at, { to: ['a@here.test', 'b@here.test'] });
  expect(recipients.map(({ decision }) => decision?.text)).toEqual(['nothing for a', 'nothing for b']);
});

test('a header field with facts in it: in encoded words where they are not ASCII, and never two fields', async () => {
  const at = ground({
    rules: [
      { event: 'rcpt', then: [{ addHeader: { name: 'X-Client', value: '${client.address} ${helo}' } }] },
      { event: 'body', then: [{ addHeader: { name: 'X-Files', value: '${message.attachments}' } }] },
    ],
  });
  const described = { helo: 'a.test\r\nX-Forged: yes' };
  const before = await askEnvelope(at, described);
  const message =
    'From: a@sender.test\nMIME-Version: 1.0\nContent-Type: application/pdf\n' +
    "Content-Disposition: attachment; filename*=utf-8''r%C3%A4chnung.pdf\n\nx\n";
  const { groups } = await askContent(at, message, described, before);
  const values = groups.flatMap(({ rendering }) =>
    (rendering?.edits ?? []).map(({ name, value }) => `${name}: ${value}`),
  );
  expect(values).toContain('X-Client: 192.0.2.10 a.test x-forged: yes');
  expect(values.find((value) => value.startsWith('X-Files'))).toMatch(/^X-Files: =\?utf-8\?/i);
});

test('recipients.count of a group counts those that are taken', async () => {
  const at = ground({
    snapshot: { domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true }] },
    entries: { 'a@here.test': 'user', 'b@here.test': 'user', 'c@here.test': 'user' },
    rules: [
      { event: 'rcpt', when: 'recipient.user == "b"', then: [{ reject: { text: 'no' } }] },
      { event: 'rcpt', then: [{ addHeader: { name: 'X-Count', value: '${recipients.count}' } }] },
    ],
  });
  const { findings } = await askEnvelope(at, { to: ['a@here.test', 'b@here.test', 'nobody@here.test', 'c@here.test'] });
  const counts = findings.filter(({ action }) => action === 'addHeader');
  expect(counts.map(({ recipient, evidence }) => [recipient, evidence.value])).toEqual([
    ['a@here.test', '1'],
    ['nobody@here.test', '2'],
    ['c@here.test', '2'],
  ]);
});

test('words around a subject, said at RCPT, go with the copy of who they are for', async () => {
  const then = [{ changeHeader: { name: 'Subject', prefix: '[${client.address}] ', suffix: ' (ä)' } }];
  const at = ground({
    entries: { 'a@here.test': 'user', 'b@here.test': 'user' },
    rules: [{ event: 'rcpt', when: 'recipient.user == "a"', then }],
  });
  const to = ['a@here.test', 'b@here.test'];
  const before = await askEnvelope(at, { to });
  // A pod that knows no words around a value finds a name it does nothing for, and the subject is not emptied.
  expect(before.findings.filter(({ check }) => check === 'rule').map(({ action }) => action)).toEqual([
    'surroundHeader',
  ]);
  const { groups } = await askContent(at, 'Subject: x\n\nx\n', { to }, before);
  const around = groups.map(({ recipients, rendering }) => [
    recipients,
    (rendering?.edits ?? []).map(({ kind, name, value, behind }) => [kind, name, value, behind]),
  ]);
  expect(around).toContainEqual([['a@here.test'], [[HeaderEditKind.SURROUND, 'Subject', '[192.0.2.10] ', ' (ä)']]]);
});

test('what simulation and trace show is the filled text', async () => {
  const at = ground({ rules: [{ event: 'mail', then: [{ tempfail: { text: 'wait, ${sender.domain}' } }] }] });
  const { findings } = await askEnvelope(at);
  expect(findings.find(({ check }) => check === 'rule')?.evidence.text).toBe('wait, sender.test');
});
