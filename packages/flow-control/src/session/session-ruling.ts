/**
 * What rules say that a session carries out by itself: greeting, logins offered, TLS demanded, who may relay or deliver, limits. Decided from
 * the snapshot without a call (design.md, services; invariant 11). Later rules of one scope replace mechanisms and rights said before them;
 * of limits said twice the tighter holds, and a tenant's narrows the operator's; a right is never wider than what the configuration gives. Refusals and checks of the same rules are policy's.
 */
import type { Clock } from '@postern/clock';
import {
  type Action,
  type Clientele,
  type Decision,
  evaluate,
  type Facts,
  type RuleChoice,
  type RuleEvent,
  rulesBetween,
  scopeAddress,
} from '@postern/rules';
import type { SaidBy } from './said-by.js';
import type { SessionTerms } from './session-terms.js';
import type { SessionView } from './session-view.js';

export interface Ruling {
  readonly greeting: string | undefined;
  readonly mechanismsPlain: RuledList | undefined;
  readonly mechanismsTls: RuledList | undefined;
  /** TLS is demanded: the words of the refusal, and the rule. */
  readonly requireTls: { readonly text: string; readonly rule: string } | undefined;
  readonly relayFor: RuledRight | undefined;
  readonly localFor: RuledRight | undefined;
  /** The operator's choice, in place of the listener's. */
  readonly chosen: RuledLimits;
  /** What tenants narrow it to. */
  readonly caps: RuledLimits;
}

/** For whom relaying or local delivery is open, and the rule. */
export interface RuledRight {
  readonly for: Clientele;
  readonly rule: string;
}

/** Mechanisms, and the rule that names them. */
export interface RuledList {
  readonly list: readonly string[];
  readonly rule: string;
}

export interface RuledLimit {
  readonly value: number;
  /** undefined = no rule. */
  readonly by: SaidBy | undefined;
}

export interface RuledLimits {
  readonly size?: RuledLimit | undefined;
  readonly recipients?: RuledLimit | undefined;
  readonly errors?: RuledLimit | undefined;
}

export const noRuling: Ruling = {
  greeting: undefined,
  mechanismsPlain: undefined,
  mechanismsTls: undefined,
  requireTls: undefined,
  relayFor: undefined,
  localFor: undefined,
  chosen: {},
  caps: {},
};

function tighter(one: RuledLimit | undefined, value: number | undefined, by: SaidBy): RuledLimit | undefined {
  if (value === undefined || (one !== undefined && one.value <= value)) return one;
  return { value, by };
}

type LimitAction = Extract<Action, { readonly kind: 'setLimit' }>;

function narrowed(said: RuledLimits, more: LimitAction, by: SaidBy): RuledLimits {
  return {
    size: tighter(said.size, more.size, by),
    recipients: tighter(said.recipients, more.recipients, by),
    errors: tighter(said.errors, more.errors, by),
  };
}

/** What a limit of the listener has become. */
export function ruledLimit(own: number, { chosen, caps }: Ruling, name: keyof RuledLimits): RuledLimit {
  const base = chosen[name] ?? { value: own, by: undefined };
  const cap = caps[name];
  return cap === undefined || base.value <= cap.value ? base : cap;
}

function after(said: Ruling, { action, ruleId, version, tenant }: Decision): Ruling {
  const rule = `${ruleId}@${version}`;
  switch (action.kind) {
    case 'greeting':
      return { ...said, greeting: action.text };
    case 'auth':
      return {
        ...said,
        mechanismsPlain: action.plain === undefined ? said.mechanismsPlain : { list: action.plain, rule },
        mechanismsTls: action.tls === undefined ? said.mechanismsTls : { list: action.tls, rule },
      };
    case 'requireTls':
      return { ...said, requireTls: said.requireTls ?? { text: action.text, rule } };
    case 'allowRelay':
      return { ...said, relayFor: { for: action.for, rule } };
    case 'allowLocal':
      return { ...said, localFor: { for: action.for, rule } };
    case 'setLimit':
      return tenant === undefined
        ? { ...said, chosen: narrowed(said.chosen, action, { rule, tenant }) }
        : { ...said, caps: narrowed(said.caps, action, { rule, tenant }) };
    default:
      return said;
  }
}

/** The other actions of the same rules are carried out, and counted, elsewhere. */
const carriedOutHere: ReadonlySet<Action['kind']> = new Set([
  'greeting',
  'auth',
  'requireTls',
  'allowRelay',
  'allowLocal',
  'setLimit',
]);

/** Of CPU time. */
const budgetMs = 50;

/** Whose rules are asked. */
export interface Asker {
  readonly snapshot: Pick<SessionTerms, 'rules' | 'ruleObserver'>;
  readonly session: SessionView;
  readonly clock: Clock;
}

/** Adds what the rules of one event say; of a recipient here, its own and those of who submits. A rule that cannot be computed is told; policy asks it too. */
export function rule(
  said: Ruling,
  { snapshot, session, clock }: Asker,
  event: RuleEvent,
  tenant: string,
  facts: Facts,
  submittingTenant = '',
): Ruling {
  const sender = { tenant: submittingTenant, address: facts.auth?.user ?? '' };
  const party = { tenant, address: scopeAddress(facts) };
  const choice = rulesBetween(snapshot.rules, sender, party, facts.recipient?.routing === 'local');
  return ruleBy(said, { snapshot, session, clock }, event, choice, facts);
}

/** The same of a choice at hand. */
export function ruleBy(
  said: Ruling,
  { snapshot, session, clock }: Asker,
  event: RuleEvent,
  choice: RuleChoice,
  facts: Facts,
): Ruling {
  if (!choice.has(event)) return said;
  const budget = { monotonic: () => clock.cpu(), ms: budgetMs };
  const { decisions, faults, unfinished } = evaluate(choice.sets, event, facts, budget);
  for (const { ruleId, version, message } of faults)
    snapshot.ruleObserver.failed(session, `${ruleId}@${version}`, message);
  if (unfinished) snapshot.ruleObserver.unfinished(session, event);
  for (const { action } of decisions)
    if (carriedOutHere.has(action.kind)) snapshot.ruleObserver.decided(event, action.kind);
  return decisions.reduce(after, said);
}
