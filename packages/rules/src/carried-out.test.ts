// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { notCarriedOut } from './carried-out.js';
import { compileRules } from './rule-set.js';

const problems = (event: string, action: unknown): string[] => {
  const options = { scope: { kind: 'operator' }, unsupported: notCarriedOut } as const;
  const compiled = compileRules([{ id: 'r', event, then: ['accept', action] }], options);
  return compiled.ok ? [] : compiled.errors.map(({ field, message }) => `${field}: ${message}`);
};

test.each([
  ['rcpt', { redirect: { address: 'a@b.test' } }],
  ['body', { addHeader: { name: 'X', value: '1' } }],
  ['connect', { setLimit: { size: 10 } }],
  ['mail', { skip: { check: 'spf' } }],
  ['body', 'dropRecipient'],
])('at %s %j is carried out', (event, action) => {
  expect(problems(event, action)).toEqual([]);
});

test.each([
  ['connect', { greeting: { text: 'hello' } }, 'then[1]: greeting is not carried out by this release'],
  ['body', { redirect: { address: 'a@b.test' } }, 'then[1]: redirect is not carried out at body by this release'],
  [
    'mail',
    { setLimit: { errors: 3 } },
    'then[1]: setLimit does not limit errors in this release; name size or recipients',
  ],
  [
    'mail',
    { skip: { check: 'antivirus' } },
    'then[1]: skip names no check of this release; use dnswl, country, dnsbl, ptr, helo, lists, identity, spf, sender, lists_user, recipients, callforward, greylist, lists_from, author, dkim, arc, dmarc, uribl',
  ],
])('at %s %j is refused when saved', (event, action, problem) => {
  expect(problems(event, action)).toEqual([problem]);
});
