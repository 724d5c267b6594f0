/** Rules a session carries out without asking policy, over real sockets. The order of AUTH and TLS is smtp/dialogs/rules-auth.smtp. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, test } from 'vitest';
import type { Listener } from '../listener.js';
import { acceptAll, Doubles } from '../testing/doubles.js';

let open: Listener | undefined;

afterEach(async () => {
  open?.destroy();
  await open?.drain();
  open = undefined;
});

const stored = (rules: readonly object[], tenant = '') =>
  rules.map((rule, index) => ({
    id: `r${index + 1}`,
    version: 1,
    scope: tenant === '' ? 'server' : 'tenant',
    tenant,
    document: JSON.stringify(rule),
  }));

/** Codes and texts of the replies to these commands, after the banner. */
async function talk(snapshot: object, commands: readonly string[], doubles = new Doubles()): Promise<string[]> {
  doubles.setSnapshot(snapshot);
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  const replies = [(await client.reply()) ?? ''];
  for (const command of commands) replies.push((await client.command(command)) ?? '');
  client.destroy();
  return replies;
}

const hello = 'EHLO c.test';
const relaying = { relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }] };

test('greeting', async () => {
  const rules = stored([{ event: 'connect', when: 'listener.name == "mx"', then: [{ greeting: { text: 'hi' } }] }]);
  expect((await talk({ rules }, []))[0]).toMatch(/^220 mx.postern.test hi/);
});

test('one recipient domain demands TLS in words of the rule, others do not', async () => {
  const then = [{ requireTls: { text: 'example.test takes mail over TLS only' } }];
  const rules = stored([{ event: 'rcpt', when: 'recipient.domain == "example.test"', then }]);
  const doubles = new Doubles();
  const commands = [
    hello,
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<bob@example.test>',
    'RCPT TO:<bob@xn--bcher-kva.test>',
  ];
  const [, , , first, second] = await talk({ rules }, commands, doubles);
  expect(first).toMatch(/^530 5\.7\.0 example.test takes mail over TLS only \(/);
  expect(second).toMatch(/^250/);
  expect(doubles.ruled).toContain('rcpt requireTls');
});

test.each(['connect', 'ehlo', 'mail'])(
  'a tenant demands TLS at %s for the mail that comes to it, and no other',
  async (event) => {
    const rules = stored([{ event, then: [{ requireTls: { text: 'ours is sealed' } }] }], 'acme');
    const domains = [
      { name: 'example.test', tenant: 'acme' },
      { name: 'other.test', tenant: 'beta' },
    ];
    const replies = await talk({ rules, domains }, [
      hello,
      'MAIL FROM:<a@sender.test>',
      'RCPT TO:<bob@example.test>',
      'RCPT TO:<bob@other.test>',
    ]);
    expect(replies.slice(2).map((reply) => reply.slice(0, 3))).toEqual(['250', '530', '250']);
    expect(replies[3]).toContain('ours is sealed');
  },
);

test('TLS is demanded of a sender at MAIL, and of everybody after EHLO', async () => {
  const sender = stored([{ event: 'mail', when: 'sender.domain == "s.test"', then: [{ requireTls: {} }] }]);
  const [, , refused, taken] = await talk({ rules: sender }, [hello, 'MAIL FROM:<a@s.test>', 'MAIL FROM:<a@o.test>']);
  expect([refused, taken].map((reply) => reply?.slice(0, 3))).toEqual(['530', '250']);
  const all = stored([{ event: 'ehlo', when: 'helo == "c.test"', then: [{ requireTls: { text: 'you too' } }] }]);
  expect((await talk({ rules: all }, [hello, 'MAIL FROM:<a@o.test>']))[2]).toMatch(/^530 5\.7\.0 you too/);
});

test.each([
  ['connect', undefined, 'none', '550'],
  ['rcpt', 'recipient.domain != "partner.test"', 'none', '550'],
  ['rcpt', 'recipient.domain == "partner.test"', 'none', '250'],
  ['rcpt', undefined, 'authenticated', '550'],
])('relaying at %s when %s for %s: %s', async (event, when, clientele, code) => {
  const rules = stored([
    { event, ...(when === undefined ? {} : { when }), then: [{ allowRelay: { for: clientele } }] },
  ]);
  const replies = await talk({ ...relaying, rules }, [
    hello,
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<x@elsewhere.test>',
    'RCPT TO:<bob@example.test>',
  ]);
  expect(replies[3]?.slice(0, 3)).toBe(code);
  expect(replies[4]).toMatch(/^250/);
});

test('a refusal for want of a right names the rule', async () => {
  const doubles = new Doubles();
  const rules = stored([
    { event: 'mail', then: [{ allowRelay: { for: 'authenticated' } }] },
    { event: 'rcpt', then: [{ allowLocal: { for: 'none' } }] },
  ]);
  const recipients = ['RCPT TO:<x@elsewhere.test>', 'RCPT TO:<bob@example.test>'];
  await talk({ ...relaying, rules }, [hello, 'MAIL FROM:<a@sender.test>', ...recipients], doubles);
  const told = doubles.events.filter(({ event }) => event === 'edge.recipient.rejected');
  expect(told.map(({ facts }) => facts?.detail)).toEqual([{ reason: 'r1@1' }, { reason: 'r2@1' }]);
});

test('no rule gives a stranger the right to relay', async () => {
  const then = [{ allowRelay: { for: 'authenticated' } }, 'accept'];
  const replies = await talk({ rules: stored([{ event: 'rcpt', then }]) }, [
    hello,
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<x@elsewhere.test>',
  ]);
  expect(replies[3]).toMatch(/^550 5\.7\.1/);
});

test('the operator chooses the size of a sender, shown after EHLO where it does not depend on the sender', async () => {
  const rules = stored([
    { event: 'connect', then: [{ setLimit: { size: 2_000_000 } }] },
    { event: 'mail', when: 'sender.user == "small"', then: [{ setLimit: { size: 10 } }] },
  ]);
  const [, greeted, small, large] = await talk({ rules }, [
    hello,
    'MAIL FROM:<small@s.test> SIZE=11',
    'MAIL FROM:<other@s.test> SIZE=1500000',
  ]);
  expect(greeted).toContain('SIZE 2000000');
  expect([small, large].map((reply) => reply?.slice(0, 3))).toEqual(['552', '250']);
});

test('a tenant narrows what the operator chose, and never widens it', async () => {
  const operator = stored([{ event: 'mail', then: [{ setLimit: { size: 1_000 } }] }]);
  for (const [size, limit] of [
    [5_000, 1_000],
    [500, 500],
  ] as const) {
    const own = stored([{ event: 'mail', then: [{ setLimit: { size } }] }], 'acme');
    const mail = (octets: number): string => `MAIL FROM:<a@s.test> SIZE=${octets}`;
    const replies = await talk({ ...relaying, rules: [...operator, ...own] }, [hello, mail(limit + 1), mail(limit)]);
    expect(replies.slice(2).map((reply) => reply.slice(0, 3))).toEqual(['552', '250']);
  }
});

test('errors of a session', async () => {
  const rules = stored([{ event: 'connect', then: [{ setLimit: { errors: 2 } }] }]);
  const doubles = new Doubles();
  doubles.setSnapshot({ rules });
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  await client.reply();
  await client.command('NONSENSE');
  client.send('NONSENSE\r\n');
  await client.closed();
  expect(client.rest).toMatch(/421/);
});

const size = { setLimit: { size: 100 } };
const letter = ['DATA', `${'x'.repeat(200)}\r\n.`];

test.each<[string, object, readonly string[], string, object]>([
  ['TLS at EHLO', { event: 'ehlo', then: [{ requireTls: {} }] }, [], 'sender', { reason: 'r1@1' }],
  ['TLS at RCPT', { event: 'rcpt', then: [{ requireTls: {} }] }, [], 'recipient', { reason: 'r1@1' }],
  [
    'relaying',
    { event: 'connect', then: [{ allowRelay: { for: 'none' } }] },
    ['RCPT TO:<x@else.test>'],
    'recipient',
    { reason: 'r1@1' },
  ],
  [
    'local delivery',
    { event: 'rcpt', then: [{ allowLocal: { for: 'authenticated' } }] },
    [],
    'recipient',
    { reason: 'r1@1' },
  ],
  ['a declared size', { event: 'mail', then: [size] }, [], 'sender', { rule: 'r1@1', limit: '100', size: '150' }],
  ['a size', { event: 'connect', then: [size] }, letter, 'message', { rule: 'r1@1', limit: '100' }],
  [
    'recipients',
    { event: 'ehlo', then: [{ setLimit: { recipients: 1 } }] },
    ['RCPT TO:<postmaster@example.test>'],
    'recipient',
    { reason: 'recipient limit', rule: 'r1@1' },
  ],
  ['a mechanism', { event: 'connect', then: [{ auth: { plain: [] } }] }, ['AUTH PLAIN'], 'command', { rule: 'r1@1' }],
  [
    'errors',
    { event: 'connect', then: [{ setLimit: { errors: 1 } }] },
    ['NONSENSE'],
    'aborted',
    { reason: '1 wrong or failed commands a session', command: 'unknown command NONSENSE', rule: 'r1@1' },
  ],
])('a refusal by a rule names it: %s', async (what, ruled, more, kind, detail) => {
  const doubles = new Doubles();
  const mail = what === 'a declared size' ? 'MAIL FROM:<a@s.test> SIZE=150' : 'MAIL FROM:<a@s.test>';
  const envelope = what === 'a mechanism' ? [] : [mail, 'RCPT TO:<bob@example.test>'];
  await talk({ ...relaying, rules: stored([ruled]) }, [hello, ...envelope, ...more], doubles);
  const event = kind === 'aborted' ? 'edge.session.aborted' : `edge.${kind}.rejected`;
  expect(doubles.events.filter((told) => told.event === event).map(({ facts }) => facts?.detail)).toContainEqual(
    expect.objectContaining(detail),
  );
});

test('the sender policy chose goes into the envelope', async () => {
  const doubles = new Doubles();
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind === 'verdict') answer.verdict.changedSender = { address: 'bounces@example.test' };
    return answer;
  };
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  await client.reply();
  for (const line of [hello, 'MAIL FROM:<a@sender.test>', 'RCPT TO:<bob@example.test>', 'DATA'])
    await client.command(line);
  await client.command('x\r\n.');
  expect(doubles.stored[0]?.envelope.reversePath).toBe('bounces@example.test');
  client.destroy();
});

test('a rule about what the session did so far is asked again when it did more', async () => {
  const rules = stored([{ event: 'connect', when: 'session.errors > 0', then: [{ requireTls: {} }] }]);
  const mail = 'MAIL FROM:<a@sender.test>';
  const replies = await talk({ rules }, [hello, mail, 'RSET', 'NONSENSE', mail]);
  expect(replies.slice(2).map((reply) => reply.slice(0, 3))).toEqual(['250', '250', '500', '530']);
});

test('a rule that cannot be computed does not match, the others do, and it is told once for the session', async () => {
  const doubles = new Doubles();
  const rules = stored([
    { event: 'rcpt', when: 'client.certificateNames[3] == "x"', then: [{ allowLocal: { for: 'none' } }] },
    { event: 'connect', then: [{ greeting: { text: 'hi' } }] },
  ]);
  const [banner, , , ...recipients] = await talk(
    { rules },
    [hello, 'MAIL FROM:<a@s.test>', 'RCPT TO:<bob@example.test>', 'RCPT TO:<postmaster@example.test>'],
    doubles,
  );
  expect(banner).toMatch(/ hi/);
  expect(recipients.map((reply) => reply.slice(0, 3))).toEqual(['250', '250']);
  const told = doubles.events.filter(({ event }) => event === 'edge.rule.failed');
  expect(told.map(({ facts }) => facts?.detail)).toMatchObject([{ rule: 'r1@1', reason: expect.any(String) }]);
});
