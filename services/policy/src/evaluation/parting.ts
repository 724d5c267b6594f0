/** Tells recipients to come apart, last of all at RCPT: only of those that would be taken is the content judged. */
import { apartCheck, comeApart, mayComeApart, recipientsApart } from '../apart/recipients-apart.js';
import type { EvaluationState } from './state.js';

export function keepApart(state: EvaluationState): void {
  const { subject, services, whole, byAddress, skips, policies, wishes, dryRun } = state;
  const { observer, clock, tools, replay } = services;
  if (whole.refusal !== undefined || (replay === undefined && !mayComeApart(state))) return;
  const apart = recipientsApart({
    ...{ subject, policies, wishes, clock, tools },
    taken: subject.facts.recipients.filter(({ address }) => byAddress.get(address)?.course.refusal === undefined),
    spared: (check) => skips.has(check) || whole.spared.has(check),
    unfinished: () => observer.apart('unfinished'),
    recorded: replay?.found(apartCheck) ?? [],
  });
  for (const { address, because, finding } of apart) {
    byAddress.get(address)?.course.take(comeApart);
    subject.findings.push(finding);
    if (!dryRun) observer.apart(because);
  }
}
