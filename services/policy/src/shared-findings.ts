/**
 * Findings of rules about many recipients come once for those of whom the same was said: made one for each again before anything reads them. Each
 * recipient's stay in their order. Bounded: more than can be judged are refused before they are made.
 */
import { PosternError } from '@postern/errors';
import type { EvaluateRequest } from '@postern/proto/policy/v1/policy_service';

const mostFindings = 150_000;

export function withOwnFindings(request: EvaluateRequest): EvaluateRequest {
  const { facts } = request;
  if (facts === undefined) return request;
  const { sharedFindings, recipients } = facts;
  const shared = sharedFindings.reduce((sum, one) => sum + one.findings.length * one.recipients.length, 0);
  if (facts.findings.length + shared > mostFindings)
    throw new PosternError('invalid-argument', 'facts.findings: too many');
  if (sharedFindings.length === 0) return request;
  const findings = [...facts.findings];
  for (const { findings: common, recipients: places } of sharedFindings)
    for (const place of places) {
      const recipient = recipients[place]?.address;
      if (recipient === undefined)
        throw new PosternError('invalid-argument', 'facts.shared_findings: no such recipient');
      for (const finding of common) findings.push({ ...finding, recipient });
    }
  return { ...request, facts: { ...facts, findings, sharedFindings: [] } };
}
