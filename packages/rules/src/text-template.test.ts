/** Facts in texts: filled in for each message, refused where they are not known, and nothing a stranger can begin a line with. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is filled in is written so
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { notCarriedOut } from './carried-out.js';
import { askedLogins, earlyRefusals } from './early-refusals.js';
import { evaluate } from './evaluate.js';
import type { RuleEvent } from './event.js';
import { askedChecks } from './fact-checks.js';
import { factContext } from './fact-context.js';
import type { Facts } from './fact-table.js';
import { compileRules, type RuleSet } from './rule-set.js';
import { sessionRules } from './session-rules.js';
import { readText } from './text-template.js';

const scope = { event: 'body', available: new Set<string>() } as const;
const facts: Facts = {
  client: { address: '192.0.2.1', port: 25_000, certificateNames: ['a.test', 'b.test'] },
  dnsbl: { listed: true, texts: ['see https://bl.test/?ip=192.0.2.1'] },
  helo: 'CLIENT.test\r\n250 x',
  recipient: { address: 'bob@acme.test' },
  sender: { address: 'ä@sender.test', user: '' },
  time: { now: new Date(0) },
};
const fill = (text: string, limit = 400): string | undefined =>
  readText(text, scope, limit).template?.fill(factContext(facts));

test.each([
  ['listed: ${client.address}', 'listed: 192.0.2.1'],
  ['${dnsbl.texts} (${ client.address })', 'see https://bl.test/?ip=192.0.2.1 (192.0.2.1)'],
  ['${client.port} ${dnsbl.listed}', '25000 true'],
  ['${client.certificateNames}', 'a.test, b.test'],
  ['${time.now}', '1970-01-01T00:00:00.000Z'],
  ['at ${time.hour}', 'at 0'],
  ['you are ${helo}', 'you are client.test 250 x'],
  ['from ${sender.address}', 'from ä@sender.test'],
  ['costs $5, $$ and $${helo} for ${sender.user}', 'costs $5, $$ and ${helo} for '],
  ['costs $5', undefined],
  ['{helo} $helo', undefined],
])('%s', (text, filled) => expect(fill(text)).toBe(filled));

test('a fact takes a bounded part of the text, the text has its length, and no character is cut', () => {
  const long: Facts = { helo: 'x'.repeat(5_000), sender: { address: '😀'.repeat(300), user: '\ud800' } };
  const filled = (text: string, limit: number) => readText(text, scope, limit).template?.fill(factContext(long)) ?? '';
  expect(filled('${helo}!', 400)).toBe(`${'x'.repeat(200)}!`);
  expect(filled(`${'a'.repeat(150)}\${helo}`, 200)).toHaveLength(200);
  const emoji = filled('x${sender.address}', 100);
  expect(emoji).toHaveLength(99);
  for (const text of [emoji, filled('<${sender.user}>', 100)]) expect(text.isWellFormed()).toBe(true);
});

const compiled = (rule: object, isNew = true) =>
  compileRules([{ id: 'r', event: 'body', ...rule }], {
    ...{ scope: { kind: 'operator' }, isNew, unsupported: notCarriedOut },
  });

function told(rule: object): string[] {
  const made = compiled(rule);
  return made.ok
    ? []
    : made.errors.map(({ field, line, column, message, hint }) => `${field} ${line}:${column} ${message}; ${hint}`);
}

const literally = 'write $${ for these characters themselves';

test.each<[object, string]>([
  [
    { then: [{ reject: { text: 'SPF: ${spf.reslt}' } }] },
    `then[0].reject.text 1:6 spf.reslt is no fact that can stand in a text; did you mean \${spf.result}? ${literally}`,
  ],
  [
    { then: [{ reject: { text: '${headers}' } }] },
    `then[0].reject.text 1:1 headers is no fact that can stand in a text; ${literally}`,
  ],
  [
    { then: ['accept', { tempfail: { text: 'a ${__proto__.x}' } }] },
    `then[1].tempfail.text 1:3 __proto__.x is no fact that can stand in a text; ${literally}`,
  ],
  [
    { then: [{ reject: { text: 'a ${helo' } }] },
    `then[0].reject.text 1:3 a fact in the text does not end; write } behind its name, or ${literally}`,
  ],
  [
    { then: [{ changeHeader: { name: 'Subject', suffix: ' ${hello}' } }] },
    `then[0].changeHeader.suffix 1:2 hello is no fact that can stand in a text; did you mean \${helo}? ${literally}`,
  ],
  [
    { event: 'ehlo', then: [{ close: { text: '${sender.domain}' } }] },
    'then[0].close.text 1:1 sender.domain is not known at ehlo; it is known from mail on',
  ],
  [
    { event: 'delivery-failure', then: [{ ndrText: { text: '${spf.result}' } }] },
    'then[0].ndrText.text 1:1 spf.result is not kept after acceptance; give a tag where it is known and look for it in message.tags',
  ],
  [
    { then: [{ addHeader: { name: 'X-Asn', value: 'AS${asn}' } }] },
    'then[0].addHeader.value 1:3 asn needs a asn database; ask the operator to configure one',
  ],
  [
    { event: 'connect', then: [{ greeting: { text: 'hello ${ptr}' } }] },
    'then[0] 1:1 greeting is decided by the session without asking anybody, and ptr has to be asked for; remove it',
  ],
  [
    { then: [{ reject: { text: 'SPF says {spf.result}' } }] },
    'then[0].reject.text 1:1 is not filled in: {spf.result} would stand there as it is written; write ${spf.result}',
  ],
  [
    { then: [{ reject: { text: '${helo}'.repeat(11) } }] },
    'then[0].reject.text 1:1 has too many facts in it; at most 10',
  ],
])('%j', (rule, problem) => expect(told(rule)).toEqual([problem]));

test('what was saved before goes on as it is', () => {
  const made = compiled({ then: [{ reject: { text: 'ask ${us} or ${helo}' } }] }, false);
  const [decided] = made.ok ? evaluate(made.set, 'body', { helo: 'a.test' }).decisions : [];
  expect(decided?.action).toMatchObject({ text: 'ask ${us} or a.test' });
});

function setOf(event: RuleEvent, then: readonly unknown[], when?: string): RuleSet {
  const made = compiled({ event, then, ...(when === undefined ? {} : { when }) });
  if (!made.ok) throw new Error(JSON.stringify(made.errors));
  return made.set;
}

test('each action is told with its own text', () => {
  const then = [
    { addHeader: { name: 'X-For', value: '<${recipient.address}>' } },
    { tag: { name: 'seen' } },
    { reject: { text: 'not from ${client.address}' } },
  ];
  const { decisions } = evaluate(setOf('body', then), 'body', facts);
  expect(decisions.map(({ action }) => action)).toMatchObject([
    { value: '<bob@acme.test>' },
    { name: 'seen' },
    { text: 'not from 192.0.2.1' },
  ]);
  expect(decisions.every(({ asksRecipient }) => asksRecipient === undefined)).toBe(true);
});

test('a text that would be empty is a dash, words around a value keep their spaces and may be nothing', () => {
  const then = [
    { addHeader: { name: 'X-User', value: '${sender.user} ' } },
    { changeHeader: { name: 'Subject', prefix: '[${client.port}] ', suffix: '${sender.user}' } },
  ];
  const { decisions } = evaluate(setOf('body', then), 'body', facts);
  expect(decisions.map(({ action }) => action)).toMatchObject([
    { value: '-' },
    { value: '', prefix: '[25000] ', suffix: '' },
  ]);
});

const ofTenant = (rule: object, isNew = true) =>
  compileRules([{ id: 'r', event: 'body', ...rule }], { scope: { kind: 'tenant', tenant: 'beta' }, isNew });

test.each([
  ['acme', 'by  from 192.0.2.1'],
  ['beta', 'by bob@acme.test from 192.0.2.1'],
  ['', 'by bob@acme.test from 192.0.2.1'],
])('who logged in at tenant %j, in a text of beta', (submittingTenant, value) => {
  const then = [{ addHeader: { name: 'X-By', value: 'by ${auth.user} from ${client.address}' } }];
  const made = ofTenant({ then, when: 'auth.user == "bob@acme.test"' });
  if (!made.ok) throw new Error(JSON.stringify(made.errors));
  const { decisions } = evaluate(made.set, 'body', { ...facts, auth: { user: 'bob@acme.test' }, submittingTenant });
  expect(decisions).toMatchObject([{ action: { value }, textAbout: ['submitter'] }]);
});

test.each(['message.tags', 'route.host', 'route.name'])('%s stands in no text of a tenant', (fact) => {
  const rule = { event: 'delivery-failure', then: [{ ndrText: { text: `see \${${fact}}` } }] };
  const refused = ofTenant(rule);
  const message = `${fact} is the operator's and stands in no text of a tenant`;
  expect(refused.ok ? [] : refused.errors).toMatchObject([{ field: 'then[0].ndrText.text', message }]);
  expect(told(rule)).toEqual([]);
  const before = ofTenant(rule, false);
  const [decided] = before.ok ? evaluate(before.set, 'delivery-failure', { message: { tags: ['x'] } }).decisions : [];
  expect(decided?.action).toMatchObject({ text: `see \${${fact}}` });
});

test('a text with a fact that has to be asked for waits for policy, and has it asked', () => {
  const asking = setOf('connect', [{ reject: { text: 'see ${dnsbl.texts}' } }], 'client.port > 0');
  expect(earlyRefusals(asking).size).toBe(0);
  expect(sessionRules(asking).size).toBe(0);
  expect([...askedChecks([asking], 'connect')]).toEqual(['dnsbl']);
  expect(earlyRefusals(setOf('connect', [{ reject: { text: 'not ${client.address}' } }])).size).toBe(1);
  expect(askedLogins(setOf('auth', [{ reject: { text: '${ptr}' } }])).size).toBe(1);
});
