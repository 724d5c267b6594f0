/** Whose a finding is decides which tenant may see it in a trace. */
import { Finding } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { ownerOf } from './finding-owner.js';

const tenants = new Map([['x@acme.test', 'acme']]);

test.each<[string, Partial<Finding>, string | undefined, string]>([
  ['a rule of the operator', { check: 'rule', recipient: 'x@acme.test' }, undefined, 'system'],
  ['a rule of a tenant', { check: 'rule', evidence: { tenant: 'demo' } }, undefined, 'demo'],
  [
    'a rule of who submits, about another recipient',
    { check: 'rule', recipient: 'x@acme.test', evidence: { tenant: 'demo' } },
    'demo',
    'demo',
  ],
  ['a check of incoming mail', { check: 'spf' }, undefined, 'system'],
  ['a check of submitted mail', { check: 'identity' }, 'demo', 'demo'],
  ['a check of one recipient', { check: 'lists_user', recipient: 'x@acme.test' }, 'demo', 'acme'],
])('%s', (_, finding, submitter, owner) => {
  expect(ownerOf(Finding.fromPartial(finding), submitter, tenants)).toBe(owner);
});
