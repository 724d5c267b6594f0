// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import type { RuleScope } from './rule.js';
import { submittedOnly } from './submitted-only.js';

const tenant: RuleScope = { kind: 'tenant', tenant: 'acme', permitted: ['accept', 'skip'] };
const sender = { changeSender: { address: 'a@acme.test' } };
const errors = { setLimit: { errors: 3 } };

test.each<[event: string, then: unknown[], told: RegExp[], more?: object, scope?: RuleScope]>([
  ['mail', [sender], [/^then\[0\]: changeSender at mail is done for mail that is submitted here alone/]],
  ['connect', [errors], [/^then\[0\]: setLimit\.errors at connect /]],
  ['ehlo', [{ tag: { name: 'a' } }, errors], [/^then\[1\]: setLimit\.errors at ehlo /]],
  ['mail', ['accept'], [/^then\[0\]: accept .* write the rule at rcpt$/]],
  ['mail', [{ skip: { check: 'spf' } }], [/^then\[0\]: skip .* write the rule at rcpt$/]],
  ['connect', [{ setLimit: { errors: 3, recipients: 5 } }], [/setLimit\.errors/]],
  ['mail', [{ setLimit: { recipients: 5 } }], []],
  ['mail', ['reject'], []],
  ['auth', [errors], []],
  ['rcpt', ['accept'], []],
  ['mail', [sender], [], { when: 'auth.user == "boss@acme.test"' }],
  ['mail', [sender], [], {}, { kind: 'operator' }],
  ['mail', [{ changeSender: { address: 5 } }], []],
])('%s %j', (event, then, told, more = {}, scope = tenant) => {
  expect(submittedOnly({ id: 'r', event, then, ...more }, { scope })).toEqual(
    told.map((text) => expect.stringMatching(text)),
  );
});
