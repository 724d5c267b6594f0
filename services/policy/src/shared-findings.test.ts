import { EvaluateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { withOwnFindings } from './shared-findings.js';

const request = (facts: object): EvaluateRequest => EvaluateRequest.fromPartial({ facts });
const recipients = ['a', 'b', 'c'].map((address) => ({ address }));

test('each recipient has its findings in their order', () => {
  const sharedFindings = [{ findings: [{ rule: 'one@1' }, { rule: 'two@1' }], recipients: [0, 2] }];
  const { facts } = withOwnFindings(request({ recipients, findings: [{ check: 'spf' }], sharedFindings }));
  expect(facts?.findings.map(({ check, rule, recipient }) => `${check}${rule} ${recipient}`)).toEqual([
    'spf ',
    'one@1 a',
    'two@1 a',
    'one@1 c',
    'two@1 c',
  ]);
  expect(facts?.sharedFindings).toEqual([]);
});

test.each<[string, object, RegExp]>([
  ['a place nobody has', { recipients, sharedFindings: [{ findings: [{}], recipients: [3] }] }, /no such recipient/],
  [
    'more than can be judged',
    { recipients, sharedFindings: [{ findings: new Array(100).fill({}), recipients: new Array(1_501).fill(0) }] },
    /too many/,
  ],
])('%s is refused', (_name, facts, message) => {
  expect(() => withOwnFindings(request(facts))).toThrow(message);
});
