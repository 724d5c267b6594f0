/**
 * Rules before a delivery attempt: where the mail leaves, when it is tried again, or that it is not tried. Depends on the message, its route and the
 * snapshot alone: nothing is asked. A rule that cannot be computed is told; one that would have kept the mail back, or chosen its way, puts the attempt off.
 */
import type { Clock } from '@postern/clock';
import {
  type Decision,
  type DeliveryEvent,
  evaluate,
  type Facts,
  type Remembered,
  type RuleBook,
  scopeAddress,
} from '@postern/rules';
import { heldBy } from '../kept-by.js';
import { domainOf, type RouteResult, type Router } from '../route.js';
import { type AppliedRule, appliedRule, type DeliveryDecision } from './applied-rule.js';
import { type DeliverySubject, deliveryFacts } from './delivery-facts.js';
import { ruledRoute } from './ruled-route.js';

/** Waiting chosen by a rule; undefined = as before. */
export interface RuledRetry {
  readonly delaysMs: readonly number[];
  readonly giveUpAfterMs: number | undefined;
}

export interface Relayed {
  readonly kind: 'go' | 'bounce' | 'discard' | 'hold' | 'defer';
  readonly route: RouteResult;
  readonly retry: RuledRetry | undefined;
  readonly enhanced: string;
  /** Why it does not go; empty for `go` and `discard`. */
  readonly text: string;
  readonly applied: readonly AppliedRule[];
}

export interface RuleParts {
  readonly rules: RuleBook;
  readonly router: Router;
  readonly clock: Clock;
  readonly onFault: (rule: string, message: string) => void;
  /** One for all recipients of one message that are asked about at once. */
  readonly remembered?: Remembered | undefined;
}

/** CPU time the rules of one recipient may take. */
const budgetMs = 50;

export function askDelivery(
  { rules, router, clock, onFault, remembered }: RuleParts,
  event: DeliveryEvent,
  subject: DeliverySubject,
  isLocal: boolean,
  more: (facts: Facts) => Facts = (facts) => facts,
): readonly DeliveryDecision[] {
  const submittingTenant = router.ownerOf(domainOf(subject.origin?.authenticatedUser ?? ''));
  const facts = { ...more(deliveryFacts(subject, isLocal, clock.now())), submittingTenant };
  const choice = rules.of(subject.tenant, scopeAddress(facts));
  if (!choice.has(event)) return [];
  const budget = { monotonic: () => clock.cpu(), ms: budgetMs };
  const { decisions, faults, unfinished } = evaluate(choice.sets, event, facts, budget, remembered);
  for (const { ruleId, version, message, isKnown } of faults) if (!isKnown) onFault(`${ruleId}@${version}`, message);
  if (unfinished) onFault('', `rules of ${event} took longer than ${budgetMs} ms`);
  const isOther = submittingTenant !== undefined && submittingTenant !== subject.tenant;
  return isOther ? decisions.map(withoutLogin) : decisions;
}

/** Rows and trace are the recipient's tenant's to read; texts of tenants' rules do not name another one's login. Words of the report go to the sender and stay. */
function withoutLogin(decided: Decision): DeliveryDecision {
  const { action, tenant, textAbout } = decided;
  if (tenant !== undefined || textAbout?.includes('submitter') !== true) return decided;
  switch (action.kind) {
    case 'reject':
    case 'tempfail':
      return { ...decided, hidesText: true, action: { ...action, text: 'by a rule about who submits the message' } };
    case 'hold':
      return { ...decided, hidesText: true, action: { ...action, reason: '' } };
    default:
      return { ...decided, hidesText: true };
  }
}

export function retryOf(decisions: readonly Decision[]): RuledRetry | undefined {
  const last = decisions.map(({ action }) => action).findLast(({ kind }) => kind === 'retrySchedule');
  if (last?.kind !== 'retrySchedule') return undefined;
  const { delays, giveUpAfter } = last;
  return {
    delaysMs: delays.map((seconds) => seconds * 1_000),
    giveUpAfterMs: giveUpAfter === undefined ? undefined : giveUpAfter * 1_000,
  };
}

export function relayed(parts: RuleParts, subject: DeliverySubject, before: RouteResult): Relayed {
  const { router } = parts;
  const domain = domainOf(subject.recipient);
  const isLocal = router.ownerOf(domain) !== undefined;
  const decisions = askDelivery(parts, 'relay', subject, isLocal);
  let route = before;
  for (const { action, tenant } of decisions) {
    if (action.kind !== 'route') continue;
    route = router.declared(
      ruledRoute({ action, owner: tenant, before, domain, findHop: (owner, name) => router.findHop(owner, name) }),
    );
  }
  const told = decisions.map((decided) => ({ ...decided, applied: appliedRule('relay', decided) }));
  const base = {
    route,
    retry: retryOf(decisions),
    enhanced: '',
    text: '',
    applied: told.map(({ applied }) => applied),
  };
  for (const { action, applied } of told) {
    switch (action.kind) {
      case 'reject':
        return { ...base, kind: 'bounce', enhanced: action.enhanced, text: action.text };
      case 'discard':
        return { ...base, kind: 'discard' };
      case 'hold':
        return { ...base, kind: 'hold', text: heldBy(applied, action.reason) };
      case 'tempfail':
        return { ...base, kind: 'defer', enhanced: action.enhanced, text: action.text };
      default:
        break;
    }
  }
  return { ...base, kind: 'go' };
}
