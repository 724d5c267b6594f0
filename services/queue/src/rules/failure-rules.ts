/**
 * Rules after an attempt that failed: for now (temporary-failure) or for good, the end of the lifetime included (delivery-failure). They may end what
 * would wait, let wait what would end, throw away, hold, choose the schedule, or add words to the report. What a rule ends here has failed for
 * good as well, so that the second kind is asked after the first. Works on folded changes before they are settled, so that the first final
 * state still wins; operators' own bounces are not asked about.
 */
import type { Item } from '@postern/proto/mail/v1/item';
import type { RecipientResult } from '@postern/proto/mail/v1/outcome';
import type { Action, Decision } from '@postern/rules';
import { domainOf } from '../route.js';
import { type Final, isSiteFailure, replyLine, type UnitChange, type Wait } from '../unit-change.js';
import { appliedRule, type DeliveryDecision } from './applied-rule.js';
import type { DeliverySubject } from './delivery-facts.js';
import { withFailure } from './delivery-facts.js';
import { askDelivery, type RuledRetry, type RuleParts, retryOf } from './relay-rules.js';

export function ruleFailures(parts: RuleParts, changes: readonly UnitChange[]): void {
  const { rules } = parts;
  const onTemporary = rules.has('temporary-failure');
  const onFinal = rules.has('delivery-failure');
  if (!onTemporary && !onFinal) return;
  for (const change of changes) {
    const { wait } = change;
    const isForNow = change.final === undefined && wait?.state === 'deferred' && wait.attempt > 0;
    if (isForNow && onTemporary) ruleTemporary(parts, change, wait);
    const { final } = change;
    if (!onFinal || (final?.state !== 'bounced' && final?.state !== 'expired')) continue;
    ruleFinal(parts, change, final, isForNow ? ruledEnds : finalEnds);
  }
}

export function subjectOf(item: Item, recipient: string, attempt: number): DeliverySubject {
  return {
    recipient,
    tenant: item.tenant,
    reversePath: item.reversePath,
    size: item.size,
    acceptedAtMs: item.acceptedAtMs,
    attempt,
    tags: item.rendering?.tags ?? [],
    origin: item.origin,
    route: item.route,
  };
}

function ask(
  parts: RuleParts,
  event: 'temporary-failure' | 'delivery-failure',
  item: Item,
  change: UnitChange,
  result: RecipientResult,
  attempt: number,
): readonly DeliveryDecision[] {
  const isLocal = parts.router.ownerOf(domainOf(change.recipient)) !== undefined;
  const subject = subjectOf(item, change.recipient, attempt);
  const decisions = askDelivery(parts, event, subject, isLocal, (facts) => withFailure(facts, result, attempt));
  if (decisions.length > 0)
    change.ruled = [...change.ruled, ...decisions.map((decided) => appliedRule(event, decided))];
  return decisions;
}

/** The item with another schedule; its end never moves behind what the service allows by more than the rule says. */
export function rescheduled(item: Item, retry: RuledRetry | undefined): Item {
  if (retry === undefined) return item;
  const { delaysMs, giveUpAfterMs } = retry;
  const expiresAtMs = giveUpAfterMs === undefined ? item.expiresAtMs : item.acceptedAtMs + giveUpAfterMs;
  return { ...item, retryDelaysMs: [...delaysMs], expiresAtMs };
}

const temporaryEnds: ReadonlySet<Action['kind']> = new Set(['reject', 'discard', 'hold']);
const finalEnds: ReadonlySet<Action['kind']> = new Set(['discard', 'hold', 'tempfail']);
/** Of what a temporary-failure rule has ended: it is not tried again against that rule. */
const ruledEnds: ReadonlySet<Action['kind']> = new Set(['discard', 'hold']);

const linesOf = (texts: readonly string[]): string => texts.filter((text) => text !== '').join('\n');

function told(result: RecipientResult, decisions: readonly Decision[]): RecipientResult {
  const texts = decisions.flatMap(({ action }) => (action.kind === 'ndrText' ? [action.text] : []));
  return texts.length === 0 ? result : { ...result, noticeText: linesOf([result.noticeText, ...texts]) };
}

function ruleTemporary(parts: RuleParts, change: UnitChange, wait: Wait): void {
  const decisions = ask(parts, 'temporary-failure', wait.item, change, wait.result, wait.attempt);
  if (decisions.length === 0) return;
  const item = rescheduled(wait.item, retryOf(decisions));
  const result = told(wait.result, decisions);
  const outcome = { ...wait.outcome, item };
  const next: Wait = { ...wait, item, result, outcome };
  const end = (state: Final['state'], said: RecipientResult): void => {
    change.wait = undefined;
    change.final = { state, attempt: wait.attempt, reply: replyLine(said), atMs: wait.atMs, outcome, result: said };
  };
  const verdict = decisions.find(({ action }) => temporaryEnds.has(action.kind))?.action;
  if (verdict?.kind === 'reject') {
    const noticeText = linesOf([verdict.text, result.noticeText]);
    end('bounced', { ...result, noticeStatus: verdict.enhanced, noticeText });
  } else if (verdict?.kind === 'discard') end('discarded', result);
  else if (verdict?.kind === 'hold') change.wait = { ...next, state: 'held' };
  else if (item.expiresAtMs > 0 && wait.atMs >= item.expiresAtMs) end('expired', result);
  else change.wait = next;
}

function ruleFinal(parts: RuleParts, change: UnitChange, final: Final, ends: ReadonlySet<Action['kind']>): void {
  const { item: before } = final.outcome;
  if (before === undefined) return;
  const decisions = ask(parts, 'delivery-failure', before, change, final.result, final.attempt);
  if (decisions.length === 0) return;
  const item = rescheduled(before, retryOf(decisions));
  const result = told(final.result, decisions);
  const outcome = { ...final.outcome, item };
  change.final = { ...final, outcome, result };
  const wait = (state: Wait['state']): void => {
    if (item.body?.place?.$case !== 'bodyId') return;
    const { attempt, atMs, reply } = final;
    change.final = undefined;
    change.wait = { state, attempt, reply, siteFailure: isSiteFailure(result), atMs, item, outcome, result };
  };
  const verdict = decisions.find(({ action }) => ends.has(action.kind))?.action.kind;
  if (verdict === 'discard') change.final = { ...final, state: 'discarded', outcome, result };
  else if (verdict === 'hold') wait('held');
  // Its lifetime still bounds it: what has come to its end is not tried again.
  else if (verdict === 'tempfail' && (item.expiresAtMs === 0 || final.atMs < item.expiresAtMs)) wait('deferred');
}
