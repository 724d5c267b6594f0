/**
 * All rules of a snapshot: sets of the operator, of each tenant, and of its domains and users, asked in that order: an inner set may tighten,
 * and loosen only what the operator lets the tenant. Sets that did not change are kept from the snapshot before. A tenant's rule that cannot
 * be compiled is left out and said so: it must not hold up the configuration of others. Of the operator's none is left out, because that could
 * admit what it refuses: the last set that could be used stays, and it is said so; without one the snapshot is refused.
 */
import { PosternError } from '@postern/errors';
import { isContentSkip } from './carried-out.js';
import { isSkipForOne } from './chain-roles.js';
import { type RuleEvent, ruleEvents } from './event.js';
import { askedChecks } from './fact-checks.js';
import { addressForm, withoutTag } from './fact-form.js';
import type { Rule } from './rule.js';
import type { RuleSet } from './rule-set.js';
import {
  compileOperator,
  compileTenant,
  isRuleOfOperator,
  isRuleOfTenant,
  type OnRefusedRule,
  placeOf,
  type RuleRights,
  type StoredRule,
  targetOf,
} from './stored-rule.js';

/** What a service takes of each set; whole by default. */
export type Narrow = (set: RuleSet) => RuleSet;

export interface RuleChoice {
  /** In the order in which they are asked. */
  readonly sets: readonly RuleSet[];
  has(event: RuleEvent): boolean;
  /** Checks whose findings conditions at this event name. */
  asks(event: RuleEvent): ReadonlySet<string>;
}

/** One end of a message. */
export interface Party {
  /** '' = nobody's here. */
  readonly tenant: string;
  /** Recipient, or user who is logged in; '' = none. */
  readonly address: string;
  /** Whose mailbox it is, as the directory says; absent = nobody asked it. */
  readonly user?: string | undefined;
}

export interface RuleBook {
  /** Rules for a tenant's mail; '' = the operator's alone. `address`: the recipient or user whose domain's and own rules are added; a +tag names the same user. */
  of(tenant: string, address?: string, user?: string): RuleChoice;
  /** Rules for mail one tenant submits to another's recipient, or to one of its own: those of both ends, outer before inner. */
  between(sender: Party, recipient: Party): RuleChoice;
  /** Of the recipient's rules those the session has not asked by itself: whose mail it is was known at RCPT only. */
  late(sender: Party, recipient: Party): RuleChoice;
  /** Somebody's rules speak at this event. */
  has(event: RuleEvent): boolean;
  /** Checks whose findings somebody's conditions at this event name. */
  asks(event: RuleEvent): ReadonlySet<string>;
  /** The same with these rules tried: each takes the place of the one of its scope and id. Throws where one cannot be compiled. */
  trying(candidates: readonly StoredRule[]): RuleBook;
  readonly size: number;
  /** Some rule spares single recipients the consequence of a check of content: a tenant's its own, the operator's those it asks about. */
  readonly skipsSingly: boolean;
  /** Why the operator's rules of this snapshot are not in use, but those from before; undefined = they are. */
  readonly stale: string | undefined;
}

export interface RuleCompiler {
  /** `rights`: loosening actions by tenant. */
  compile(rules: readonly StoredRule[], rights?: RuleRights): RuleBook;
}

interface Made {
  readonly set: RuleSet;
  /** Why it is the set from before. */
  readonly stale?: string;
}

interface Kept extends Made {
  readonly source: string;
}

type KeptSets = ReadonlyMap<string, Kept>;

interface Built {
  readonly book: RuleBook;
  readonly kept: KeptSets;
}

interface Parts {
  readonly rules: readonly StoredRule[];
  readonly rights: RuleRights;
  readonly kept: KeptSets;
  readonly onRefused: OnRefusedRule;
  readonly narrow: Narrow;
}

interface TenantChoices {
  readonly whole: RuleChoice;
  /** By domain or user. */
  readonly targets: ReadonlyMap<string, RuleChoice>;
  /** A user's own rules without those of its domain: its mail may come by an address in another one. */
  readonly users: ReadonlyMap<string, RuleChoice>;
}

const noRights: RuleRights = new Map();

function choiceOf(sets: readonly RuleSet[]): RuleChoice {
  const filled = sets.filter((set) => set.size > 0);
  const events = new Set(ruleEvents.filter((event) => filled.some((set) => set.events.has(event))));
  const asked = new Map<RuleEvent, ReadonlySet<string>>();
  return {
    sets: filled,
    has: (event) => events.has(event),
    asks(event) {
      const known = asked.get(event) ?? askedChecks(filled, event);
      asked.set(event, known);
      return known;
    },
  };
}

function build(parts: Parts): Built {
  const { rules, rights, kept, onRefused, narrow } = parts;
  const next = new Map<string, Kept>();
  const setOf = (owner: string, own: readonly StoredRule[], right: string, compile: () => Made): RuleSet => {
    const source = JSON.stringify([own, right]);
    const known = kept.get(owner);
    const made = known?.source === source ? known : { source, ...compile() };
    next.set(owner, made);
    return made.set;
  };
  const operators = rules.filter(isRuleOfOperator);
  const operator = setOf('', operators, '', () => {
    const compiled = compileOperator(operators);
    if (typeof compiled !== 'string') return { set: narrow(compiled) };
    onRefused('', '', compiled);
    const before = kept.get('');
    if (before === undefined) throw new PosternError('config-invalid', `operator rules: ${compiled}`);
    return { set: before.set, stale: compiled };
  });
  for (const { tenant, id, version, scope } of rules.filter((rule) => !isRuleOfOperator(rule) && !isRuleOfTenant(rule)))
    onRefused(tenant, `${id}@${version}`, `scope ${scope} is not known to this release`);
  const choices = new Map<string, TenantChoices>();
  for (const [tenant, own] of Map.groupBy(rules.filter(isRuleOfTenant), (rule) => rule.tenant)) {
    const permitted = rights.get(tenant) ?? [];
    const targets = Map.groupBy(own, targetOf);
    const sets = new Map(
      [...targets].map(([target, list]) => {
        const scope = { kind: 'tenant', tenant, target, permitted } as const;
        const owner = target === '' ? tenant : `${tenant} ${target}`;
        const compile = (): Made => ({ set: narrow(compileTenant(scope, list, onRefused)) });
        return [target, setOf(owner, list, permitted.join(), compile)] as const;
      }),
    );
    choices.set(tenant, choicesOf(operator, sets));
  }
  const otherwise = choiceOf([operator]);
  const all = choiceOf([...next.values()].map(({ set }) => set));
  const join = byPair(joined);
  const of = (tenant: string, address = '', user?: string): RuleChoice => {
    const own = choices.get(tenant);
    if (own === undefined) return otherwise;
    if (address === '' || own.targets.size === 0) return own.whole;
    const name = addressForm(address);
    const domain = name.slice(name.lastIndexOf('@') + 1);
    const ofDomain = own.targets.get(domain) ?? own.whole;
    if (user === undefined) return own.targets.get(name) ?? own.targets.get(withoutTag(name)) ?? ofDomain;
    const ofUser = own.users.get(user);
    return ofUser === undefined ? ofDomain : join(ofDomain, ofUser);
  };
  const ofParty = ({ tenant, address, user }: Party): RuleChoice => of(tenant, address, user);
  const rest = byPair(without);
  const book: RuleBook = {
    of,
    between: (sender, recipient) => join(ofParty(sender), ofParty(recipient)),
    late: (sender, recipient) => rest(ofParty(sender), ofParty(recipient)),
    has: all.has,
    asks: all.asks,
    size: rules.length,
    stale: next.get('')?.stale,
    skipsSingly: skipsSingly(all.sets, rights),
    trying: (candidates) => {
      // What replaces a rule has its place in the order, as when it is saved.
      const byPlace = Map.groupBy([...rules, ...candidates], placeOf);
      const trying = Map.groupBy(candidates, placeOf);
      const tried = [...byPlace].flatMap(([place, all]) => trying.get(place) ?? all);
      return build({ ...parts, rules: tried, kept: next, onRefused: refuseCandidate }).book;
    },
  };
  return { book, kept: next };
}

const levelOf = ({ scope }: RuleSet): number => {
  if (scope.kind === 'operator') return 0;
  const { target = '' } = scope;
  return target === '' ? 1 : target.includes('@') ? 3 : 2;
};

/** Level by level, those of the sender first. */
function joined(sender: RuleChoice, recipient: RuleChoice): RuleChoice {
  if (sender.sets.every((set) => recipient.sets.includes(set))) return recipient;
  if (recipient.sets.every((set) => sender.sets.includes(set))) return sender;
  const sets = [...new Set([...sender.sets, ...recipient.sets])];
  return choiceOf(sets.sort((one, other) => levelOf(one) - levelOf(other)));
}

function without(sender: RuleChoice, recipient: RuleChoice): RuleChoice {
  return choiceOf(recipient.sets.filter((set) => levelOf(set) > 0 && !sender.sets.includes(set)));
}

type Pairing = (sender: RuleChoice, recipient: RuleChoice) => RuleChoice;

/** Made once for each pair. */
function byPair(make: Pairing): Pairing {
  const made = new WeakMap<RuleChoice, WeakMap<RuleChoice, RuleChoice>>();
  return (sender, recipient) => {
    const known = made.get(sender)?.get(recipient);
    if (known !== undefined) return known;
    const choice = make(sender, recipient);
    const ofSender = made.get(sender) ?? new WeakMap<RuleChoice, RuleChoice>();
    made.set(sender, ofSender.set(recipient, choice));
    return choice;
  };
}

/** The operator's, the tenant's, the domain's, the user's. */
function choicesOf(operator: RuleSet, sets: ReadonlyMap<string, RuleSet>): TenantChoices {
  const listOf = (name: string): RuleSet[] => {
    const set = sets.get(name);
    return set === undefined ? [] : [set];
  };
  const outer = [operator, ...listOf('')];
  const targets = new Map<string, RuleChoice>();
  for (const target of sets.keys()) {
    if (target === '') continue;
    const domain = target.slice(target.lastIndexOf('@') + 1);
    targets.set(
      target,
      choiceOf(domain === target ? [...outer, ...listOf(target)] : [...outer, ...listOf(domain), ...listOf(target)]),
    );
  }
  const users = [...sets.keys()].filter((target) => target.includes('@'));
  return {
    whole: choiceOf(outer),
    targets,
    users: new Map(users.map((user) => [user, choiceOf([...outer, ...listOf(user)])])),
  };
}

function skipsSingly(sets: readonly RuleSet[], rights: RuleRights): boolean {
  const tenantsMay = [...rights.values()].some((actions) => actions.includes('skip'));
  const isOne = (set: RuleSet, event: RuleEvent, rule: Rule): boolean =>
    set.scope.kind === 'tenant'
      ? tenantsMay && rule.actions.some(({ kind }) => kind === 'skip')
      : recipientEvents.has(event) && isSkipForOne(rule, set) && rule.actions.some(isContentSkip);
  return sets.some((set) =>
    [...set.events].some(([event, { general, byRecipientDomain, bySenderDomain }]) =>
      [general, ...byRecipientDomain.values(), ...bySenderDomain.values()].some((list) =>
        list.some(({ rule }) => isOne(set, event, rule)),
      ),
    ),
  );
}

const recipientEvents: ReadonlySet<RuleEvent> = new Set<RuleEvent>(['rcpt', 'headers', 'body']);

const refuseCandidate: OnRefusedRule = (_tenant, rule, reason) => {
  throw new PosternError('invalid-argument', rule === '' ? `rules: ${reason}` : `rule ${rule}: ${reason}`);
};

export function createRuleCompiler(onRefused: OnRefusedRule, narrow: Narrow = (set) => set): RuleCompiler {
  let kept: KeptSets = new Map();
  return {
    compile(rules, rights = noRights) {
      const built = build({ rules, rights, kept, onRefused, narrow });
      kept = built.kept;
      return built.book;
    },
  };
}
