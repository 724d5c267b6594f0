import { Action, RecordedStep } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { summaryOf } from './session-summary.js';

const step = (facts: object, verdict: object): RecordedStep => RecordedStep.fromJSON({ request: { facts }, verdict });
const to = (...names: string[]) => names.map((name) => ({ address: `${name}@acme.test`, tenant: 'acme' }));
const mail = { reversePath: 'a@b.test', hasReversePath: true };
const refused = { action: Action.REJECT, decidedBy: 'spf' };

test.each<[string, RecordedStep, object]>([
  ['nothing but a connection', step({}, {}), { sender: '', recipient: '', recipients: 0, verdict: 'accept' }],
  [
    'a connection that is refused',
    step({}, { decision: { action: Action.CLOSE, decidedBy: 'dnsbl' } }),
    { sender: '', verdict: 'close by dnsbl' },
  ],
  ['the null sender', step({ reversePath: '', hasReversePath: true }, {}), { sender: '<>' }],
  [
    'recipients, all refused',
    step(
      { ...mail, recipients: to('x', 'y') },
      { recipients: to('x', 'y').map((one) => ({ ...one, decision: refused })) },
    ),
    { sender: '<a@b.test>', recipient: 'x@acme.test', recipients: 2, verdict: 'reject by spf' },
  ],
  [
    'copies that go apart',
    step(
      { ...mail, recipients: to('x', 'y', 'z') },
      {
        groups: [
          { recipients: ['x@acme.test', 'z@acme.test'], decision: { action: Action.ACCEPT } },
          { recipients: ['y@acme.test'], decision: { action: Action.QUARANTINE, decidedBy: 'dmarc' } },
        ],
      },
    ),
    { recipients: 3, verdict: '2 accept, 1 quarantine by dmarc' },
  ],
  ['no verdict', RecordedStep.fromJSON({ request: { facts: mail } }), { sender: '<a@b.test>', verdict: '' }],
])('%s', (_what, recorded, told) => {
  expect(summaryOf('acme', 'S1', recorded)).toMatchObject({ sessionId: 'S1', ...told });
});

test('a rule of the tenant that submits is not named to the recipient’s', () => {
  const quarantine = { action: Action.QUARANTINE, decidedBy: 'inner@3' };
  const found = { check: 'rule', rule: 'inner@3', action: 'quarantine', evidence: { tenant: 'demo' } };
  const facts = { ...mail, recipients: to('x'), submittingTenant: 'demo', findings: [found] };
  const recorded = step(facts, { groups: [{ recipients: ['x@acme.test'], decision: quarantine }] });
  expect(summaryOf('acme', 'S1', recorded).verdict).toBe('quarantine by verdict');
  expect(summaryOf('demo', 'S1', recorded).verdict).toBe('quarantine by inner@3');
});
