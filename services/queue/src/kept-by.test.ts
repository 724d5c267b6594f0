/** A row that waits or was thrown away says which rule did it. */
import { Disposition, FindingSummary } from '@postern/proto/mail/v1/envelope';
import { expect, test } from 'vitest';
import { expand } from './expand.js';
import { keptBy } from './kept-by.js';
import { envelope, forwardPath } from './testing/messages.js';

const rule = (name: string, action: string, recipient: string, tenant = 'system') => ({
  ...{ check: 'rule', rule: name, action, recipient, tenant },
});

test.each<[string, Parameters<typeof keptBy>[2], Partial<FindingSummary>[], string]>([
  [
    'the first that said so',
    'quarantined',
    [rule('a@1', 'tag', ''), rule('b@2', 'quarantine', ''), rule('c@3', 'quarantine', '')],
    'quarantined by rule b@2',
  ],
  [
    'not that of another recipient',
    'held',
    [rule('a@1', 'hold', 'y@acme.test'), rule('b@2', 'hold', 'x@acme.test', 'acme')],
    'held by rule b@2',
  ],
  ['a check', 'quarantined', [{ check: 'dmarc', action: 'quarantine', tenant: 'system' }], 'quarantined by dmarc'],
  [
    'a refusal where others were taken',
    'quarantined',
    [rule('a@1', 'reject', 'x@acme.test')],
    'quarantined by rule a@1',
  ],
  ['a dropped recipient', 'discarded', [rule('a@1', 'dropRecipient', 'x@acme.test')], 'discarded by rule a@1'],
  ['no rule of another tenant', 'held', [rule('a@1', 'hold', '', 'demo')], 'held by verdict'],
  ['nothing known', 'held', [], 'held by verdict'],
])('%s', (_, end, findings, words) => {
  const mail = envelope([forwardPath('x@acme.test', { disposition: Disposition.HOLD })], {
    findings: findings.map((finding) => FindingSummary.fromPartial(finding)),
  });
  const [unit] = expand(mail, () => 'acme');
  expect(unit && keptBy(mail, unit, end)).toBe(words);
});

test('a copy is kept by what kept the recipient it was made for', () => {
  const path = { expandsTo: ['x@acme.test', 'copy@acme.test'], disposition: Disposition.QUARANTINE };
  const found = FindingSummary.fromPartial(rule('a@1', 'quarantine', 'x@acme.test', 'acme'));
  const mail = envelope([forwardPath('x@acme.test', path)], { findings: [found] });
  const words = expand(mail, () => 'acme').map((unit) => [unit.address, keptBy(mail, unit, 'quarantined')]);
  expect(words).toEqual([
    ['x@acme.test', 'quarantined by rule a@1'],
    ['copy@acme.test', 'quarantined by rule a@1'],
  ]);
});
