/** Mistakes of who writes a rule, each told at its place with what is allowed; and what is refused only while a rule is being saved. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise

import { locateYaml, type PlainValue, plainOf } from '@postern/config';
import { expect, test } from 'vitest';
import { type ActionEntry, actionEntries, usageOf } from './action-fields.js';
import { actionEvents, notCarriedOut } from './carried-out.js';
import { ruleEvents } from './event.js';
import type { RuleScope } from './rule.js';
import { compileRules } from './rule-set.js';

const operator: RuleScope = { kind: 'operator' };
const tenant: RuleScope = { kind: 'tenant', tenant: 'acme' };

function told(rule: object, scope: RuleScope = operator, isNew = true): string[] {
  const options = { scope, isNew, unsupported: notCarriedOut, available: ['country'] as const };
  const compiled = compileRules([{ id: 'r', event: 'body', ...rule }], options);
  return compiled.ok ? [] : compiled.errors.map(({ field, message, hint }) => `${field}: ${message}; ${hint}`);
}

const discard = ['discard'];

test.each<[object, string]>([
  [{ then: [{ tag: 'big' }] }, 'then[0]: tag takes fields, not "big"; write tag: { name: "big" }; its fields: name'],
  [
    { then: [{ reject: 'text' }] },
    'then[0]: reject takes fields, not "text"; write reject: { text: "text" }; its fields: text, code, enhanced',
  ],
  [
    { then: [{ skip: ['spf'] }] },
    'then[0]: skip takes fields, not a list; write skip: { check: spf }; its fields: check',
  ],
  [{ then: [{ discard: 5 }] }, 'then[0]: discard takes fields, not 5; write discard'],
  [{ then: { tempfail: { code: 550 } } }, 'then.tempfail.code: is not allowed; a whole number, 400 to 499'],
  [
    { then: [{ changeHeader: { name: 'To', prefix: 'x' } }] },
    'then[0].changeHeader.name: To is no text that words could be put to; a field such as Subject, or value',
  ],
  [
    { then: [{ changeHeader: { name: 'Subject', prefix: 'x', value: 'y' } }] },
    'then[0].changeHeader.value: is given beside prefix or suffix; one of the two',
  ],
  [
    { then: [{ changeHeader: { name: 'Subject', prefix: '  ' } }] },
    'then[0].changeHeader.prefix: has no words; such as "[EXTERNAL] "',
  ],
  [{ then: [{ reject: { code: 250 } }] }, 'then[0].reject.code: is not allowed; a whole number, 500 to 599'],
  [
    { event: 'mail', then: [{ addHeader: { name: 'X-A', value: 'b' } }] },
    'then[0]: addHeader cannot act at mail; move the rule to rcpt, headers, body',
  ],
  [{ then: ['rejct'] }, 'then[0]: "rejct" is not an action; did you mean reject?'],
  [
    { then: [{ reject: { txt: 'a' } }] },
    'then[0].reject.txt: is no field here; did you mean text? known: code, enhanced, text',
  ],
  [
    { then: [{ tag: { name: 'a' }, reject: {} }] },
    'then[0]: has more than one key: tag, reject; write an entry of the list for each',
  ],
  [
    { event: 'bdoy', when: 'dmarc.result == "fail"', then: ['accept'] },
    `event: is not an event; did you mean body? known: ${ruleEvents.join(', ')}`,
  ],
])('%j', (rule, problem) => expect(told(rule)).toEqual([problem]));

test.each<[string, string]>([
  ['sender.domain.inDomain(".a.test")', 'nothing is in ".a.test"; write a domain, such as a.test'],
  ['sender.address.inDomain("*.a.test")', 'nothing is in "*.a.test"; write a domain, such as a.test'],
  ['sender.address.inDomain("@a.test")', 'nothing is in "@a.test"; write a domain, such as a.test'],
  [
    'sender.address.rx("^[A-Z]{2}@")',
    'sender.address is in lower case and never has a capital letter; write small letters, or ask for sender.spelled',
  ],
  [
    'sender.user.rx("[A-Z0-9]+")',
    'sender.user is in lower case and never has a capital letter; write small letters, or ask for sender.spelled',
  ],
  ['sender.domain.rx("^[A-Z]+")', 'sender.domain is in lower case and never has a capital letter; write small letters'],
  [
    'sender.address.contains("@bücher")',
    'sender.address has its domain in A-labels and never has "@bücher"; compare the whole address with ==, or its end with endsWith',
  ],
  [
    'sender.address.startsWith("a@bü")',
    'sender.address has its domain in A-labels and never has "a@bü"; compare the whole address with ==, or its end with endsWith',
  ],
  ['helo.inDomain("")', 'nothing is in ""; write a domain, such as example.test'],
  [
    'sender.domain.contains("ö")',
    'sender.domain is in A-labels and never has "ö"; compare the whole name, with == or inDomain',
  ],
  [
    'recipient.domain.startsWith("köln")',
    'recipient.domain is in A-labels and never has "köln"; compare the whole name, with == or inDomain',
  ],
  [
    'sender.domain.endsWith(".k öln.test")',
    'sender.domain never ends with ".k öln.test"; write the end of a domain, such as öln.test',
  ],
  ['helo.endsWith(".Test")', 'helo is always in lower case; write ".test"'],
  ['sender.domain.inDomain("bad..name")', 'nothing is in "bad..name"; write a domain, such as example.test'],
  ['helo.inDomain("a b")', 'nothing is in "a b"; write a domain, such as example.test'],
  ['sender.domain.inDomain("http://x.test/y")', 'nothing is in "http://x.test/y"; write a domain, such as x.test'],
  ['helo.inDomain("bücher..example")', 'nothing is in "bücher..example"; write a domain, such as example.test'],
  ['helo.inDomain("a.test..")', 'nothing is in "a.test.."; write a domain, such as example.test'],
  [
    'sender.domain.endsWith("*.test")',
    'sender.domain never ends with "*.test"; write the end of a domain, such as .test',
  ],
  [
    'sender.domain.endsWith("@x.test")',
    'sender.domain never ends with "@x.test"; write the end of a domain, such as x.test',
  ],
  [
    'recipient.domain.endsWith(".")',
    'recipient.domain never ends with "."; write the end of a domain, such as .example.test',
  ],
  [
    'recipient.address.endsWith("@*.test")',
    'recipient.address never ends with "@*.test"; write the end of a domain, such as .test',
  ],
  ['sender.domain.contains("..")', 'sender.domain never has ".."; write a part of a domain'],
  ['sender.domain.startsWith("@a")', 'sender.domain never has "@a"; write a part of a domain'],
  ['sender.domain == "@x.test"', 'sender.domain is never "@x.test"; write a domain, such as x.test'],
  ['".x.test" != sender.domain', 'sender.domain is never ".x.test"; write a domain, such as x.test'],
  [
    'recipient.domain in ["a.test", "bücher..example"]',
    'recipient.domain is never "bücher..example"; write a domain, such as example.test',
  ],
])('%s never holds', (when, problem) => {
  expect(told({ when, then: discard })).toEqual([`when: ${problem}`]);
  expect(told({ when, then: discard }, operator, false)).toEqual([]);
});

test.each([
  'sender.domain.inDomain("köln.example")',
  'sender.domain.endsWith(".köln.example")',
  'helo.endsWith(".test")',
  'recipient.user.contains("ö")',
  'recipient.address.contains("ö")',
  'headers.first("Subject").contains("ÖL")',
  'sender.domain.inDomain("plain.test.")',
  'sender.domain.inDomain("_spf.a.test")',
  'sender.domain == "" || sender.domain == "plain.test."',
  'sender.domain == "[192.0.2.1]" || sender.domain.startsWith("[IPv6:")',
  'sender.domain.endsWith("-mail.test") || sender.domain.endsWith("mail.test.") || sender.domain.endsWith(".1]")',
  'recipient.address.endsWith("+x@a.test") || recipient.address.endsWith("@a.test")',
  'helo == "@x.test" || helo.endsWith("..")',
])('%s may hold', (when) => expect(told({ when, then: discard })).toEqual([]));

test.each<[object[] | unknown[], string[]]>([
  [['reject', 'accept'], ['then[1]: cannot be done beside reject']],
  [['accept', { tempfail: {} }], ['then[0]: cannot be done beside tempfail']],
  [['quarantine', 'reject'], ['then[0]: cannot be done beside reject']],
  [
    ['reject', { tempfail: {} }, 'discard'],
    ['then[1]: cannot be done beside reject', 'then[2]: cannot be done beside reject'],
  ],
  [['discard', 'quarantine'], ['then[1]: cannot be done beside discard']],
  [['accept', 'quarantine'], []],
  [[{ tag: { name: 'a' } }, 'reject'], []],
  [[{ addHeader: { name: 'X-A', value: 'b' } }, 'quarantine'], []],
])('of %j never done: %j', (then, problems) => {
  const hint = 'leave one of the two out, or write a rule for each';
  expect(told({ then })).toEqual(problems.map((problem) => `${problem}; ${hint}`));
  expect(told({ then }, operator, false)).toEqual([]);
});

test('an action is open to tenants by the operator, or not at all', () => {
  expect(told({ then: ['accept'] }, tenant)).toEqual([
    'then[0]: accept is not open to a tenant; ask the operator to name it in ruleActions of the tenant',
  ]);
  expect(told({ event: 'connect', then: [{ greeting: { text: 'hi' } }] }, tenant)).toEqual([
    'then[0]: greeting is not open to a tenant; leave it to rules of the operator: it cannot be opened to tenants',
  ]);
});

test.each<[string, string | undefined]>([
  ['dmarc.result == "failed"', 'did you mean "fail"? it is one of pass, fail, overridden, none, temperror, permerror'],
  ['dmarc.result != "failed"', 'did you mean "fail"? it is one of pass, fail, overridden, none, temperror, permerror'],
  ['country == "Germany"', 'did you mean "DE"? write a country code of two capital letters, such as DE'],
  ['country in ["DE", "UK"]', 'did you mean "GB"? write a country code of two capital letters, such as DE'],
  ['client.address == "198.51.100.0/24"', 'write client.address.inNetwork("198.51.100.0/24")'],
  ['country == "ZZ"', 'write a country code of two capital letters, such as DE'],
  ['country == "XX"', 'write a country code of two capital letters, such as DE'],
  ['recipient.routing == "foreign"', 'it is one of local, relay'],
  ['time.hour > 25', 'write a number from 0 to 23'],
  ['25 < time.hour', 'write a number from 0 to 23'],
  ['time.hour == 24', 'write a number from 0 to 23'],
  ['time.hour >= 0 && time.hour < 24 && time.weekday < 7', undefined],
  ['!(time.weekday == 7)', 'write a number from 0 to 6'],
  ['spf.result == "skipped"', undefined],
  ['spf.result == ""', undefined],
  ['country == "DE" && time.hour >= 22', undefined],
  ['sender.domain == "failed.test"', undefined],
])('%s is refused when saved, and no stored rule for it', (when, hint) => {
  const problems = told({ when, then: discard });
  expect(problems).toHaveLength(hint === undefined ? 0 : 1);
  if (hint !== undefined) expect(problems[0]).toContain(`; ${hint}`);
  expect(told({ when, then: discard }, operator, false)).toEqual([]);
});

test.each<[object, number]>([
  [{ reject: { text: 'SPF says {spf.result}' } }, 1],
  [{ addHeader: { name: 'X-Spf', value: '{ spf.result }' } }, 1],
  [{ tag: { name: '{{helo}}' } }, 1],
  [{ reject: { text: 'see {our} help' } }, 0],
  [{ reject: { text: `SPF says \${spf.result}` } }, 0],
  [{ tag: { name: `\${helo}` } }, 1],
  [{ addHeader: { name: `X-\${helo}`, value: 'x' } }, 1],
])('a text with the name of a fact in braces: %j', (action, problems) => {
  expect(told({ then: [action] })).toHaveLength(problems);
  expect(told({ then: [action] }, operator, false)).toEqual([]);
});

test.each([
  ['10MiB', []],
  ['1.5GB', []],
  [
    '2TiB',
    ['then[0].setLimit.size: is not allowed; a size from 0 to 1TiB, such as 64KiB or 10MiB, or a number of bytes'],
  ],
  [10_485_760, []],
  [
    'ten',
    ['then[0].setLimit.size: is not allowed; a size from 0 to 1TiB, such as 64KiB or 10MiB, or a number of bytes'],
  ],
])('a limit of %s', (size, problems) =>
  expect(told({ event: 'mail', then: [{ setLimit: { size } }] })).toEqual(problems),
);

test.each(actionEntries)('what is written down of $kind is what is read', ({ kind, fields }) => {
  const known = told({ then: [{ [kind]: { nosuch: 1 } }] }).find((problem) => problem.includes('.nosuch: '));
  const names =
    known
      ?.replace(/.*known: /, '')
      .replace('no fields', '')
      .split(', ')
      .filter(Boolean) ?? [];
  expect(fields.map(({ name }) => name).sort()).toEqual(names.sort());
});

const read = (yaml: string): PlainValue => plainOf(locateYaml(yaml, 'example'));

function examplesOf({ kind, fields }: ActionEntry): PlainValue[] {
  const needed = fields.filter(({ required }) => required === true);
  const usual = fields.filter((field) => field.usual === true);
  return [
    read(usageOf(kind)),
    ...fields.map((field) => {
      const base = field.name === 'port' || field.name === 'login' ? ['host: out.example.test'] : [];
      const beside = field.required === true ? [...needed, ...usual] : needed;
      const lines = [...base, ...new Set([...beside, field].map(({ name, example }) => `${name}: ${example}`))];
      return { [kind]: read(`{ ${lines.join(', ')} }`) };
    }),
  ];
}

test.each(actionEntries)('examples of $kind', (entry) => {
  const [event] = actionEvents(entry.kind);
  for (const action of examplesOf(entry)) expect(told({ event, then: [action] })).toEqual([]);
});
