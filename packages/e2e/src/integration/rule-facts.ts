/**
 * What conditions may name, each as a rule that writes down that it matched: facts up to the end of data as a header field, those after a failed
 * delivery as words of the report. What is not so for this mail is written down as well, so that a fact that is empty cannot pass.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise

export const factsAddress = '127.20.1.1';
export const loginAddress = '127.20.1.2';
export const clientName = 'host.good.test';
export const refusedRecipient = '550-saw@open.test';

export const knownAtBody: readonly string[] = [
  'client.address == "127.20.1.1"',
  'client.address.inNetwork("127.20.1.0/31")',
  'client.port > 1023',
  'server.address == "127.0.0.1"',
  'server.port > 1023',
  'listener.name == "mx"',
  'listener.role == "mx"',
  'ptr == "host.good.test"',
  'dnsbl.listed',
  'dnsbl.zones.exists(z, z == "bl.test")',
  'dnsbl.texts.exists(t, t.contains("known here"))',
  'helo == "client.test"',
  'helo.rx("^client[.]")',
  'esmtp',
  'tls.active',
  'tls.version == "TLSv1.3"',
  'tls.cipher.startsWith("TLS_")',
  'sender.address == "facts@good.test"',
  'sender.spelled == "Facts@GOOD.test"',
  'sender.domain.inDomain("good.test")',
  'sender.user == "facts"',
  'message.declaredSize == 4321',
  'spf.result == "pass"',
  'session.messages == 1',
  'session.bytes > 100',
  'session.errors == 1',
  'recipient.address == "550-saw@open.test" || recipient.address == "bob@acme.test"',
  'recipient.domain == "acme.test" || recipient.domain == "open.test"',
  'recipient.user == "bob" || recipient.user == "550-saw"',
  'recipient.routing == "local"',
  'recipients.count == 2',
  'received.count == 2',
  'headers.first("X-Thing") == "yes"',
  'headers.has("x-thing") && headers.count("x-thing") == 2',
  'headers.values("X-Thing").exists(v, v == "also")',
  'message.size > 300 && message.size < 4321',
  'message.parts == 3',
  'message.types.exists(t, t == "application/pdf")',
  'message.attachments.exists(a, a == "a.pdf")',
  'message.largestAttachment == 30',
  'dkim.result == "none"',
  'dmarc.result == "none"',
  'arc.result == "none"',
  'check.dnsbl == "listed"',
  'check.ptr == "confirmed"',
  'check.helo == "valid"',
  'check.spf == "pass"',
  'check.greylist == "new" || check.greylist == "early"',
  'check.recipients == "exists" || recipient.domain == "open.test"',
  'check.uribl == "" && uribl.domains.size() == 0',
  'time.now > timestamp("2020-01-01T00:00:00Z")',
  'time.hour >= 0 && time.hour < 24 && time.weekday >= 0 && time.weekday < 7',
];

export const knownOfLogin: readonly string[] = [
  'auth.user == "bob@acme.test"',
  'auth.mechanism == "PLAIN"',
  'listener.role == "submission"',
  '!tls.active',
];

export const knownAfterFailure: readonly string[] = [
  'message.tags.exists(t, t == "seen")',
  'route.host == "127.0.0.1"',
  'route.name == "hop"',
  'route.class == "local"',
  'delivery.attempt == 1',
  'delivery.age >= 0 && delivery.age < 600',
  'failure.code == 550',
  'failure.enhanced.startsWith("5.")',
  'failure.text != ""',
  'failure.host == "127.0.0.1"',
  'failure.attempts == 1',
];

const from = (address: string): string => `client.address == "${address}"`;

function pairs(
  event: string,
  address: string,
  prefix: string,
  conditions: readonly string[],
  then: (words: string) => object,
) {
  return conditions.flatMap((condition, index) => [
    { id: `${prefix}-${index}-saw`, event, when: [from(address), condition], then: [then(`saw ${index}.`)] },
    { id: `${prefix}-${index}-not`, event, when: [from(address), `!(${condition})`], then: [then(`not ${index}.`)] },
  ]);
}

const field = (value: string): object => ({ addHeader: { name: 'X-Walk', value } });

export const factRules: readonly object[] = [
  { id: 'facts-accepted', event: 'connect', when: from(factsAddress), then: ['accept'] },
  { id: 'facts-tagged', event: 'body', when: from(factsAddress), then: [{ tag: { name: 'seen' } }] },
  ...pairs('body', factsAddress, 'fact', knownAtBody, field),
  ...pairs('body', loginAddress, 'login', knownOfLogin, field),
  ...pairs('delivery-failure', factsAddress, 'failure', knownAfterFailure, (text) => ({ ndrText: { text } })),
];

export const factsMessage = Buffer.from(
  [
    'Received: by one.test; Sat, 21 Nov 2026 03:00:00 +0000',
    'Received: by two.test; Sat, 21 Nov 2026 03:00:00 +0000',
    'From: <facts@good.test>',
    'X-Thing: yes',
    'X-Thing: also',
    'Subject: facts',
    'Message-ID: <facts@client.test>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'text',
    '--b',
    'Content-Type: application/pdf; name=a.pdf',
    'Content-Disposition: attachment; filename=a.pdf',
    '',
    'x'.repeat(30),
    '--b--',
    '',
  ].join('\r\n'),
);
