/**
 * Carries out limits that hold for single recipients: a declared size (RFC 1870 §6.1) and the number of recipients (RFC 5321 §4.5.3.1.10) at RCPT, the
 * size itself at the end of data, where the copy of one is refused as a rule of content refuses it. Nobody else's copy is touched.
 */
import { Action, type Decision, type Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import { type Reply, replies } from '@postern/smtp-core';
import type { EvaluationState, Judged } from '../evaluation/state.js';
import { ruleCheck } from '../rules/rule-finding.js';
import { decision } from '../verdict/decision.js';
import { hasOwnLimit, type OwnLimit, ownLimitsOf } from './own-limits.js';

function refusalBy({ rule }: OwnLimit, action: Action, { code, enhanced, text }: Reply): Decision {
  return decision(
    { action, code, enhanced: enhanced ?? '', text: typeof text === 'string' ? text : text.join(' ') },
    rule,
  );
}

function refuseOver({ judged, subject: { findings } }: EvaluationState, size: number, stage: Stage): void {
  if (!hasOwnLimit(findings)) return;
  const limits = ownLimitsOf(findings);
  for (const { recipient, course } of judged) {
    const limit = limits.get(recipient.address)?.size;
    // What is thrown away is too large for nobody.
    if (limit === undefined || size <= limit.value || course.disposition?.action === Action.DISCARD) continue;
    const refusal = refusalBy(limit, Action.REJECT, replies.tooBig);
    if (course.refusal === undefined) findings.push(oversize(limit, refusal, recipient.address, stage));
    course.take(refusal);
  }
}

/** Told like the refusal of any rule, so that a copy that is kept apart is kept by it. */
function oversize(
  { value, rule, tenant, target }: OwnLimit,
  refusal: Decision,
  recipient: string,
  stage: Stage,
): Finding {
  const { replyCode, enhancedCode, text } = refusal;
  const evidence = {
    ...(tenant === undefined ? {} : { tenant }),
    ...(target === '' ? {} : { scope: target }),
    ...{ size: String(value), code: String(replyCode), enhanced: enhancedCode, text },
  };
  return {
    ...{ check: ruleCheck, outcome: 'oversize', evidence, recipient, rule },
    ...{ durationUs: 0, stage, action: 'reject' },
  };
}

/** At RCPT: a message said to be larger than this recipient takes. */
export function refuseDeclared(state: EvaluationState): void {
  const { declaredSize } = state.subject.facts;
  if (declaredSize > 0) refuseOver(state, declaredSize, Stage.RCPT);
}

/** At the end of data. */
export function refuseOversize(state: EvaluationState, stage: Stage): void {
  const { content } = state.subject;
  if (content !== undefined) refuseOver(state, content.size, stage);
}

/** Counts of recipients taken, of which a limit reads one. */
class Taken {
  readonly #counts = new Map<string, number>();

  constructor(readonly submittingTenant: string) {}

  /** Of the tenant whose rule it is, of all where it submits; of the operator those the same rule speaks about. */
  of({ rule, tenant }: OwnLimit): number {
    const counted = tenant === undefined ? `rule ${rule}` : tenant === this.submittingTenant ? '' : `tenant ${tenant}`;
    return this.#counts.get(counted) ?? 0;
  }

  add(tenant: string, limits: readonly OwnLimit[]): void {
    const rules = limits.filter((limit) => limit.tenant === undefined).map(({ rule }) => `rule ${rule}`);
    for (const counted of new Set(['', `tenant ${tenant}`, ...rules]))
      this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
  }
}

/** At RCPT: recipients beyond a number a rule of theirs allows, in the order they came. */
export function refuseSurplus({ subject, byAddress }: EvaluationState): void {
  const { findings, facts } = subject;
  if (!hasOwnLimit(findings)) return;
  const limits = ownLimitsOf(findings);
  const taken = new Taken(facts.submittingTenant);
  for (const { address, tenant } of facts.recipients) {
    const judged: Judged | undefined = byAddress.get(address);
    if (judged?.course.refusal !== undefined) continue;
    const own = limits.get(address)?.recipients ?? [];
    const over = own.find((limit) => taken.of(limit) >= limit.value);
    if (judged !== undefined && over !== undefined)
      judged.course.take(
        refusalBy(over, Action.TEMPFAIL, replies.tooManyRecipients(`${over.value} recipients a message`)),
      );
    else taken.add(tenant, own);
  }
}
