// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { notCarriedOut } from './carried-out.js';
import { compileRules } from './rule-set.js';

const problems = (event: string, action: unknown, when?: string): string[] => {
  const options = { scope: { kind: 'operator' }, unsupported: notCarriedOut } as const;
  const compiled = compileRules(
    [{ id: 'r', event, ...(when === undefined ? {} : { when }), then: ['accept', action] }],
    options,
  );
  return compiled.ok ? [] : compiled.errors.map(({ field, message }) => `${field}: ${message}`);
};

test.each([
  ['rcpt', { redirect: { address: 'a@b.test' } }],
  ['body', { addHeader: { name: 'X', value: '1' } }],
  ['connect', { setLimit: { size: 10 } }],
  ['mail', { skip: { check: 'spf' } }],
  ['body', 'dropRecipient'],
  ['connect', { greeting: { text: 'hello' } }],
  ['ehlo', { auth: { plain: [] } }],
  ['mail', { changeSender: { address: '' } }],
  ['rcpt', { requireTls: { text: 'TLS first' } }],
  ['rcpt', { allowRelay: { for: 'authenticated' } }],
  ['connect', { setLimit: { errors: 3 } }],
])('at %s %j is carried out', (event, action) => {
  expect(problems(event, action)).toEqual([]);
});

test.each([
  [
    'rcpt',
    { route: { host: 'a.test' } },
    'then[1]: route is not carried out by this release: a route belongs to a domain or to the operator; name a next hop there',
  ],
  [
    'rcpt',
    { allowRelay: { for: 'all' } },
    'then[1]: allowRelay for all would open the relay; name the clients in the operator’s relay networks instead',
  ],
  ['body', { redirect: { address: 'a@b.test' } }, 'then[1]: redirect is not carried out at body by this release'],
  [
    'mail',
    { setLimit: { errors: 3 } },
    'then[1]: setLimit does not limit errors at mail: they are counted for the session; move the rule to connect, ehlo or auth',
  ],
  [
    'mail',
    { skip: { check: 'antivirus' } },
    'then[1]: skip names no check of this release; use dnswl, country, dnsbl, ptr, helo, lists, identity, spf, sender, lists_user, recipients, callforward, greylist, lists_from, author, dkim, arc, dmarc, uribl',
  ],
])('at %s %j is refused when saved', (event, action, problem) => {
  expect(problems(event, action)).toEqual([problem]);
});

test.each([
  ['connect', 'dnsbl.listed', { auth: { plain: [] } }, 'auth is decided by the session without asking anybody'],
  ['rcpt', 'spf.result == "fail"', { requireTls: {} }, 'spf.result has to be asked for'],
  ['body', 'score > 5.0', 'discard', 'score is not computed'],
  ['body', 'virus != ""', 'discard', 'virus is not known'],
])('at %s with %s: %j is refused with the reason', (event, when, action, reason) => {
  expect(problems(event, action, when).join()).toContain(reason);
});
