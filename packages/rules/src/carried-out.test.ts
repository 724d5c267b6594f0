// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { notCarriedOut } from './carried-out.js';
import { compileRules } from './rule-set.js';

const before = (event: string): unknown =>
  ['relay', 'delivery-failure', 'temporary-failure'].includes(event) ? { retrySchedule: { delays: [1] } } : 'accept';

const problems = (event: string, action: unknown, when?: string): string[] => {
  const options = { scope: { kind: 'operator' }, unsupported: notCarriedOut } as const;
  const compiled = compileRules(
    [{ id: 'r', event, ...(when === undefined ? {} : { when }), then: [before(event), action] }],
    options,
  );
  return compiled.ok ? [] : compiled.errors.map(({ field, message }) => `${field}: ${message}`);
};

test.each([
  ['rcpt', { redirect: { address: 'a@b.test' } }],
  ['body', { addHeader: { name: 'X', value: '1' } }],
  ['connect', { setLimit: { size: 10 } }],
  ['mail', { skip: { check: 'spf' } }],
  ['mail', { run: { check: 'dmarc' } }],
  ['body', 'dropRecipient'],
  ['connect', { greeting: { text: 'hello' } }],
  ['ehlo', { auth: { plain: [] } }],
  ['mail', { changeSender: { address: '' } }],
  ['rcpt', { requireTls: { text: 'TLS first' } }],
  ['rcpt', { allowRelay: { for: 'authenticated' } }],
  ['connect', { setLimit: { errors: 3 } }],
  ['relay', { route: { host: 'a.test', tls: 'required', tlsVersions: ['TLSv1.3'], sourceAddress: '192.0.2.1' } }],
  ['relay', { route: { sourceAddress: '192.0.2.1', helo: 'out.test' } }],
  ['relay', { retrySchedule: { delays: [60, 300], giveUpAfter: 7200 } }],
  ['temporary-failure', { reject: { text: 'no longer' } }],
  ['delivery-failure', { ndrText: { text: 'ask the help desk' } }],
  ['delivery-failure', { tempfail: {} }],
])('at %s %j is carried out', (event, action) => {
  expect(problems(event, action)).toEqual([]);
});

test.each([
  ['rcpt', { route: { host: 'a.test' } }, 'then[1]: route cannot act at rcpt'],
  [
    'rcpt',
    { run: { check: 'recipients' } },
    'then[1]: run names no check that can be run by a rule; use dnswl, country, dnsbl, ptr, helo, identity, spf, sender, callforward, greylist, author, dkim, domainkeys, arc, dmarc, uribl',
  ],
  ['body', { run: { check: 'spf' } }, 'then[1]: run is not carried out at body by this release'],
  ['relay', { tag: { name: 'x' } }, 'then[1]: tag is not carried out at relay by this release'],
  ['temporary-failure', { tempfail: {} }, 'then[1]: tempfail cannot act at temporary-failure'],
  ['relay', { route: {} }, 'then[1]: route says nothing'],
  ['relay', { route: { to: 'a', host: 'b.test' } }, 'then[1].route.host: is given beside to'],
  ['relay', { route: { to: 'a', port: 25 } }, 'then[1].route.port: needs host'],
  [
    'relay',
    { route: { host: 'a.test', tls: 'none', tlsVersions: ['TLSv1.3'] } },
    'then[1].route.tlsVersions: names versions of what is switched off',
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
    'then[1]: skip names no check of this release; use dnswl, country, dnsbl, ptr, helo, lists, identity, spf, sender, lists_user, recipients, callforward, greylist, lists_from, lists_user_from, author, dkim, greylist_signed, domainkeys, arc, dmarc, uribl',
  ],
])('at %s %j is refused when saved', (event, action, problem) => {
  expect(problems(event, action)).toEqual([problem]);
});

test.each([
  ['connect', 'dnsbl.listed', { auth: { plain: [] } }, 'auth is decided by the session without asking anybody'],
  ['rcpt', 'spf.result == "fail"', { requireTls: {} }, 'spf.result has to be asked for'],
  ['body', 'score > 5.0', 'discard', 'score is not computed'],
  ['relay', 'dkim.result == "pass"', 'discard', 'dkim.result is not kept after acceptance'],
  ['temporary-failure', 'helo == "" && headers.has("x")', 'discard', 'headers is not kept after acceptance'],
  ['relay', 'failure.code == 550', 'discard', 'failure.code is not known at relay'],
  ['body', 'virus != ""', 'discard', 'virus is not known'],
])('at %s with %s: %j is refused with the reason', (event, when, action, reason) => {
  expect(problems(event, action, when).join()).toContain(reason);
});
