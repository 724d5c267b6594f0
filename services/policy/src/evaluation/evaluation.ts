/**
 * One evaluation: the stages asked, in order. In each stage the checks run at the same time, then the rules see what they found, then the
 * findings get their consequences; the first refusal of the whole ends it. Rules speak before checks: a rule's `accept` or `skip` takes
 * the consequence, never the finding. Depends on nothing but the request, the snapshot, DNS and DIRECTORY: the same again gives the same.
 */
import { type EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';
import { settleForwarded } from '../checks/settle-forwarded.js';
import { refuseDeclared, refuseOversize, refuseSurplus } from '../recipient-limits/limit-refusals.js';
import { eventOf } from '../stage-event.js';
import type { Subject } from '../subject.js';
import { conclude } from './conclusion.js';
import { contentWaiver } from './content-waiver.js';
import { askFacts } from './fact-asking.js';
import { refuseIncomplete } from './incomplete-content.js';
import { asksScopes, catchUp, inOrder, observeDue, observeOwn } from './observation.js';
import { keepApart } from './parting.js';
import { type Echo, responseOf } from './response.js';
import { askRules } from './rule-asking.js';
import { resolveTargets } from './rule-targets.js';
import { type EvaluationServices, EvaluationState, type EvaluationTerms } from './state.js';
import { observeWished } from './wished-observation.js';

export interface EvaluationOrder extends EvaluationTerms {
  readonly echo: Echo;
  /** The end of data may be answered at RCPT already; not where it is to be asked about in any case. */
  readonly mayWaive: boolean;
}

export async function evaluate(
  services: EvaluationServices,
  subject: Subject,
  { echo, mayWaive, ...terms }: EvaluationOrder,
): Promise<EvaluateResponse> {
  const { stages } = terms;
  const state = new EvaluationState(services, subject, terms);
  const [first] = stages;
  if (first !== undefined) await catchUp(state, first);
  for (const stage of stages) {
    const event = eventOf(stage);
    if (event !== undefined && state.whole.refusal === undefined) await judgeStage(state, event, stage);
  }
  const response = responseOf(state, stages, echo);
  if (mayWaive && stages.includes(Stage.RCPT)) response.contentWaiver = contentWaiver(state, response);
  return response;
}

async function judgeStage(state: EvaluationState, event: RuleEvent, stage: Stage): Promise<void> {
  const { findings } = state.subject;
  state.open(event);
  if (event === 'headers' || event === 'body') refuseOversize(state, stage);
  const results = await observeDue(state, event, stage);
  if (event === 'rcpt') settleForwarded(findings);
  const wished = await observeWished(state, event, stage);
  await askFacts(state, event, stage);
  askRules(state, event, stage);
  if (event === 'body') refuseIncomplete(state, stage);
  wished.push(...(await observeWished(state, event, stage)));
  if (event === 'rcpt' && wished.length > 0) settleForwarded(findings);
  for (const { finding } of results) state.spare(finding);
  const own = asksScopes(state, event) ? await observeOwn(state, event, stage) : [];
  for (const result of inOrder(results, own)) conclude(state, result);
  for (const result of wished) conclude(state, result, true);
  if (event !== 'rcpt') return;
  await resolveTargets(state, stage);
  refuseDeclared(state);
  keepApart(state);
  refuseSurplus(state);
}
