/** What a tenant is shown of a message that is also for others. */
import { everyTenant } from '@postern/grpc';
import type { FindingSummary } from '@postern/proto/mail/v1/envelope';
import { expect, test } from 'vitest';
import { acceptance } from './acceptance.js';

type Found = Partial<FindingSummary> & Pick<FindingSummary, 'check' | 'outcome'>;

function shown(scope: string, finding: Found): boolean {
  const message = {
    ...{ queue_id: 'q', session_id: 's', parent: '', reverse_path: '', accepted_at: 1, size: 1, unjudged: false },
    ...{ message_id: '', detail: { findings: [finding] } },
  };
  return finding.check in acceptance(message, { scope, addresses: ['Bob@acme.test'] }).detail;
}

test.each<[string, Found, boolean]>([
  ['of the message, by the operator', { check: 'spf', outcome: 'pass', recipient: '', tenant: 'system' }, true],
  ['a rule of the operator', { check: 'rule', outcome: 'matched', recipient: '', tenant: 'system' }, true],
  ['of the message, by another tenant', { check: 'rule', outcome: 'matched', recipient: '', tenant: 'demo' }, false],
  [
    'of its recipient, however written',
    { check: 'rule', outcome: 'x', recipient: 'bob@acme.test', tenant: 'acme' },
    true,
  ],
  ['of its recipient, by another', { check: 'rule', outcome: 'x', recipient: 'bob@acme.test', tenant: 'demo' }, false],
  ['of a recipient of others', { check: 'recipients', outcome: 'x', recipient: 'a@demo.test', tenant: 'demo' }, false],
  [
    'of a recipient of others, by the operator',
    { check: 'rule', outcome: 'x', recipient: 'a@demo.test', tenant: 'system' },
    false,
  ],
  ['old: a check of the message', { check: 'spf', outcome: 'pass' }, true],
  ['old: a check of a recipient of others', { check: 'recipients', outcome: 'x', recipient: 'a@demo.test' }, false],
  ['old: a rule', { check: 'rule', outcome: 'matched', recipient: '' }, false],
  ['old: a list', { check: 'lists_user', outcome: 'allowed', recipient: 'bob@acme.test' }, false],
])('%s', (_, finding, isShown) => {
  expect(shown('acme', finding)).toBe(isShown);
  expect(shown(everyTenant, finding)).toBe(true);
});
