/**
 * What the edge must send at the end of data: the header section, or the whole message (design.md, step 4). The header section always: an
 * Authentication-Results field in our name is removed whoever sends it, a logged-in client included (invariant 8).
 */
import { ContentPlan } from '@postern/proto/policy/v1/policy_service';
import type { Subject } from '../subject.js';

export function contentPlan(subject: Subject, skips: ReadonlySet<string>): ContentPlan {
  const { facts, snapshot } = subject;
  if (verifiesSignatures(subject, skips)) return ContentPlan.BODY;
  const choices = new Set(facts.recipients.map(({ tenant }) => snapshot.rules.of(tenant)));
  for (const choice of choices) if (choice.has('body')) return ContentPlan.BODY;
  return ContentPlan.HEADERS;
}

export function verifiesSignatures(
  { isOutsider, snapshot }: Pick<Subject, 'isOutsider' | 'snapshot'>,
  skips: ReadonlySet<string>,
): boolean {
  const { dkim, dmarc } = snapshot.checks;
  return isOutsider && ((dkim.enabled && !skips.has('dkim')) || (dmarc.enabled && !skips.has('dmarc')));
}
