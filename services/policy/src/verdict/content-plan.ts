/** What the edge must send at the end of data: nothing, the header section, or the whole message (design.md, step 4). */
import { ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { carriedAction } from '../rules/rule-finding.js';
import type { Subject } from '../subject.js';

export function contentPlan(subject: Subject, skips: ReadonlySet<string>): ContentPlan {
  const { facts, snapshot, findings, mayForge } = subject;
  const { rules } = snapshot;
  const choices = new Set(facts.recipients.map(({ tenant }) => rules.of(tenant)));
  if (verifiesSignatures(subject, skips)) return ContentPlan.BODY;
  for (const choice of choices) if (choice.has('body')) return ContentPlan.BODY;
  if (mayForge) return ContentPlan.HEADERS;
  for (const choice of choices) if (choice.has('headers')) return ContentPlan.HEADERS;
  const carried = findings.some((finding) => {
    const action = carriedAction(finding);
    return action !== undefined && action.kind !== 'skip' && action.kind !== 'dropRecipient';
  });
  return carried ? ContentPlan.HEADERS : ContentPlan.NONE;
}

export function verifiesSignatures(
  { isOutsider, snapshot }: Pick<Subject, 'isOutsider' | 'snapshot'>,
  skips: ReadonlySet<string>,
): boolean {
  const { dkim, dmarc } = snapshot.checks;
  return isOutsider && ((dkim.enabled && !skips.has('dkim')) || (dmarc.enabled && !skips.has('dmarc')));
}
