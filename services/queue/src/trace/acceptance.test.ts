/** What a tenant is shown of a message that is also for others. */
import { everyTenant } from '@postern/grpc';
import { FindingSummary, Origin } from '@postern/proto/mail/v1/envelope';
import { expect, test } from 'vitest';
import { acceptance, type MessageRow, visibleFindings } from './acceptance.js';

/** A message of which nothing but this is of interest. */
const messageOf = <D extends MessageRow['detail']>(detail: D) => ({
  ...{ queue_id: 'q', session_id: 's', parent: '', reverse_path: '', message_id: '' },
  ...{ accepted_at: 1, size: 1, unjudged: false, tenants: [], detail },
});

type Found = Partial<FindingSummary> & Pick<FindingSummary, 'check' | 'outcome'>;

function shown(scope: string, finding: Found): boolean {
  const message = messageOf({ findings: [finding] });
  const findings = visibleFindings(message, { scope, addresses: ['Bob@acme.test'] });
  return finding.check in acceptance(message, findings, { scope }).detail;
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

test('a rule is told with id, version and action, a check with what was done about it, and the time', () => {
  const findings = [
    { check: 'rule', outcome: 'matched', rule: 'suspect@3', action: 'quarantine', evidence: 'reason=look' },
    { check: 'dmarc', outcome: 'fail', action: 'quarantine', evidence: 'policy=reject', durationUs: 1_500 },
    { check: 'spf', outcome: 'pass', action: 'none', evidence: 'domain=a.test', durationUs: 2_000 },
  ].map((finding) => FindingSummary.fromPartial(finding));
  const message = messageOf({});
  expect(acceptance(message, findings, { scope: everyTenant }).detail).toEqual({
    size: '1',
    rule: 'matched (suspect@3 quarantine reason=look)',
    dmarc: 'fail (quarantine policy=reject)',
    spf: 'pass (domain=a.test)',
    took: 'dmarc 1.5 ms, spf 2 ms',
  });
});

test.each<[string, string, string, string]>([
  ['the tenant that submitted', 'demo', 'demo', 'name=X-By value=boss@demo.test about=submitter'],
  ['the tenant of a recipient', 'acme', 'demo', 'name=X-By about=submitter'],
  ['the operator', everyTenant, 'demo', 'name=X-By value=boss@demo.test about=submitter'],
  ['a tenant, of mail nobody here submits', 'acme', '', 'name=X-By value=boss@demo.test about=submitter'],
])('%s: a text that tells who logged in', (_, scope, submittingTenant, evidence) => {
  const finding = FindingSummary.fromPartial({
    ...{ check: 'rule', outcome: 'matched', rule: 'by@1', action: 'addHeader', tenant: 'system' },
    evidence: 'name=X-By value=boss@demo.test about=submitter',
    evidenceForOthers: 'name=X-By about=submitter',
  });
  const message = messageOf({ submittingTenant, findings: [finding] });
  const findings = visibleFindings(message, { scope, addresses: ['bob@acme.test'] });
  expect(findings).toEqual([{ ...finding, evidence, evidenceForOthers: '' }]);
  expect(acceptance(message, findings, { scope }).detail.rule).toBe(`matched (by@1 addHeader ${evidence})`);
});

test.each([
  ['the tenant that submitted', 'demo', 'demo', true],
  ['the tenant of a recipient', 'acme', 'demo', false],
  ['the operator', everyTenant, 'demo', true],
  ['a tenant, of an older row', 'demo', undefined, false],
  ['the operator, of an older row', everyTenant, undefined, true],
])('%s: who logged in', (_, scope, submittingTenant, isShown) => {
  const origin = Origin.fromPartial({ clientAddress: '192.0.2.1', authenticatedUser: 'boss@demo.test' });
  const message = messageOf({ origin, ...(submittingTenant === undefined ? {} : { submittingTenant }) });
  const { detail } = acceptance(message, [], { scope });
  expect('authenticated_user' in detail).toBe(isShown);
  expect(detail.client_address).toBe('192.0.2.1');
});
