/**
 * What a refusal rests on, in the words the acceptance of a message has: for each check that decided, or that the deciding rule used, its outcome
 * with the evidence. Only what concerns the refused recipient or the whole message. For the trace, not the log: evidence may name addresses.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';

const mostOutcomes = 10;
const mostText = 500;

function told({ outcome, evidence }: Finding): string {
  const text = Object.entries(evidence).map(([name, value]) => `${name}=${value}`);
  return text.length === 0 ? outcome : `${outcome} (${text.join(' ')})`;
}

/** `recipients`: the refused one, or those the message would have been taken for. */
export function refusalEvidence(
  decidedBy: string,
  findings: readonly Finding[],
  recipients: readonly string[],
): Readonly<Record<string, string>> {
  const used = findings.filter(
    (finding) =>
      finding.check !== 'rule' &&
      (finding.check === decidedBy || finding.rule === decidedBy) &&
      (finding.recipient === '' || recipients.includes(finding.recipient)),
  );
  const evidence: Record<string, string> = {};
  for (const [check, found] of Map.groupBy(used, (finding) => finding.check))
    evidence[check] = [...new Set(found.map(told))].slice(0, mostOutcomes).join(', ').slice(0, mostText);
  return evidence;
}
