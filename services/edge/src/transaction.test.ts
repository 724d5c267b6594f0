import { EvaluateResponse, Finding } from '@postern/proto/policy/v1/policy_service';
import { parseMailCommand } from '@postern/smtp-core';
import { expect, test } from 'vitest';
import { Transaction } from './transaction.js';

function transaction(sessionFindings: readonly Finding[] = []): Transaction {
  const mail = parseMailCommand('<a@x.test>');
  if (!mail.ok) throw new Error('the test has a wrong MAIL');
  return new Transaction('Q', mail.command, 1_000, 10, undefined, sessionFindings);
}
const finding = (check: string, outcome: string): Finding => Finding.fromPartial({ check, outcome });

test('what was found about the session is told with every transaction', () => {
  const listed = finding('dnsbl', 'listed');
  const first = transaction([listed]);
  first.learn(EvaluateResponse.fromPartial({ findings: [finding('spf', 'pass')] }));
  expect(first.findings.told().map(({ check }) => check)).toEqual(['dnsbl', 'spf']);
  expect(
    transaction([listed])
      .findings.told()
      .map(({ check }) => check),
  ).toEqual(['dnsbl']);
});

test('findings are bounded, and those of rules are never the ones that go', () => {
  const now = transaction();
  now.learn(
    EvaluateResponse.fromPartial({ findings: Array.from({ length: 300 }, () => finding('recipients', 'known')) }),
  );
  now.learn(EvaluateResponse.fromPartial({ findings: [finding('rule', 'tag')] }));
  expect(now.findings.told()).toHaveLength(256);
  expect(now.findings.told().at(-1)?.check).toBe('rule');
});
