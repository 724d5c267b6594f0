/**
 * A message that cannot be looked into whole: more parts, nested deeper, or with a longer header section of a part than is read. What rules and lists would
 * say of the rest is not known, so it is refused as malformed (RFC 3463 §3.7, X.6.0), as Postfix does with what nests too deep; a rule that accepts it
 * (`message.incomplete`) spares it that.
 */
import { Action, type Stage } from '@postern/proto/policy/v1/policy_service';
import type { Incomplete } from '../content/mime-facts.js';
import { decision } from '../verdict/decision.js';
import type { EvaluationState } from './state.js';

const name = 'structure';

const texts: Readonly<Record<Incomplete, string>> = {
  parts: 'Message has more parts than are read',
  depth: 'Message is nested deeper than is read',
  'part header': 'Message has a part with a header section longer than is read',
  names: 'Message has more names of attachments than are read',
};

export function refuseIncomplete({ subject, judged, whole }: EvaluationState, stage: Stage): void {
  const reason = subject.content?.incomplete;
  if (reason === undefined) return;
  const open = judged.map(({ course }) => course).filter(({ accepted }) => !accepted);
  const isSpared = judged.length > 0 && open.length === 0;
  subject.findings.push({
    ...{ check: name, outcome: 'incomplete', evidence: { reason }, recipient: '', rule: '', durationUs: 0, stage },
    action: isSpared ? 'accepted' : 'reject',
  });
  const refusal = decision({ action: Action.REJECT, code: 550, enhanced: '5.6.0', text: texts[reason] }, name);
  for (const course of judged.length === 0 ? [whole] : open) course.take(refusal);
}
