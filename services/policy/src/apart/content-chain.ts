/**
 * The content chain of a recipient: everything at headers and body that could refuse its copy alone, rules, checks and the size it takes. Known at RCPT, from the request
 * and the snapshot alone, so that any pod finds the same. Computed once for the recipients of one scope, and not at all where nothing differs.
 */
import type { Finding, RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import {
  type ChainLink,
  chainProfile,
  type Decision,
  type RefusalChain,
  type RuleChoice,
  type RuleRests,
  refusalChain,
} from '@postern/rules';
import { sparedBy, withSigned } from '../actions.js';
import type { RunWishes } from '../forced-checks.js';
import { hasOwnLimit, type OwnLimits, ownLimitsOf } from '../recipient-limits/own-limits.js';
import {
  type FactSources,
  holdsFor,
  ownCheckFacts,
  rulesOf,
  sessionFacts,
  withRecipient,
} from '../rules/rule-facts.js';
import { carriedAction, isInnerSkip } from '../rules/rule-finding.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { domainOf, type Subject } from '../subject.js';
import { type CheckLink, checkLinks, type Scoping, someRefuseAll, wishedLink } from './check-chain.js';

export interface ContentChain {
  readonly key: string;
  readonly rules: readonly ChainLink[];
  readonly checks: readonly CheckLink[];
}

export interface ChainSources extends FactSources {
  readonly subject: Subject;
  /** In force for the session. */
  readonly policies: CheckPolicies;
  /** Checks whose consequence nobody feels. */
  readonly spared: (check: string) => boolean;
  readonly wishes: RunWishes;
}

const ruleMs = 25;
const none: RefusalChain = { key: '', links: [] };

export class ContentChains {
  readonly #sources: ChainSources;
  readonly #endsAt: number;
  readonly #rests: RuleRests = new Map();
  readonly #byChoice = new Map<RuleChoice, Map<boolean, RefusalChain>>();
  readonly #facts = new Map<ReadonlySet<string>, ReturnType<typeof sessionFacts>>();
  readonly #asked = new Map<RuleChoice, ReadonlySet<string>>();
  #limits: ReadonlyMap<string, OwnLimits> | undefined;
  #sparedBy: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(sources: ChainSources) {
    this.#sources = sources;
    this.#endsAt = sources.clock.cpu() + ruleMs;
  }

  /** Nobody's content could be refused without that of all others: asked before anything is computed. */
  static isOne({ subject, wishes }: Pick<ChainSources, 'subject' | 'wishes'>): boolean {
    const { rules } = subject.snapshot;
    if (checksDiffer(subject) || rules.has('headers') || rules.has('body') || wishes.size > 0) return false;
    return isSizeDeclared(subject) || !hasOwnLimit(subject.findings);
  }

  /** Undefined = the time for rules ran out. */
  of(recipient: RecipientFacts): ContentChain | undefined {
    const { subject } = this.#sources;
    const checks = this.#checks(recipient.address);
    const choice = rulesOf(subject, recipient);
    const rules = this.#rules(recipient, choice, checks.length > 0 || this.#someRefuseAll());
    if (rules === undefined) return undefined;
    const size = this.#size(recipient.address);
    const more = [...checks, ...size];
    const key = more.length === 0 ? rules.key : [rules.key, ...more.map((link) => link.key)].join('\n##\n');
    return { key, rules: [...rules.links, ...size], checks };
  }

  /** Where it was not declared, whether a message is larger than this recipient takes shows at the end of data. */
  #size(address: string): readonly ChainLink[] {
    const { subject } = this.#sources;
    if (isSizeDeclared(subject)) return [];
    this.#limits ??= ownLimitsOf(subject.findings);
    const limit = this.#limits.get(address)?.size;
    if (limit === undefined) return [];
    const { rule, tenant, target } = limit;
    return [{ rule, tenant, target, key: `size ${limit.value}` }];
  }

  #rules(recipient: RecipientFacts, choice: RuleChoice, checksRefuse: boolean): RefusalChain | undefined {
    const { refuses, spares, asksRecipient } = chainProfile(choice);
    if (!refuses && !(spares && checksRefuse)) return none;
    const { clock, subject } = this.#sources;
    const named = this.#named(choice);
    const own = named.size === 0 ? undefined : ownCheckFacts(subject.findings, recipient.address, named);
    // What the rules of who submits spare holds for some recipients of a choice.
    const isOwn = asksRecipient || own !== undefined || (spares && subject.facts.submittingTenant !== '');
    const known = isOwn ? undefined : this.#byChoice.get(choice)?.get(checksRefuse);
    if (known !== undefined) return known;
    const session = this.#facts.get(named) ?? sessionFacts(subject, this.#sources, named);
    this.#facts.set(named, session);
    const facts = { ...withRecipient(session, recipient, subject.facts.recipients.length), ...own };
    const budget = { monotonic: () => clock.cpu(), ms: this.#endsAt - clock.cpu() };
    const binds = (decided: Decision): boolean => holdsFor(decided, subject, recipient);
    const chain = refusalChain(choice, facts, {
      ...{ checksRefuse, binds, budget },
      // What was found for this recipient alone is remembered for nobody else.
      rests: own === undefined ? this.#rests : undefined,
    });
    if (chain !== undefined && !isOwn) {
      const chains = this.#byChoice.get(choice) ?? new Map<boolean, RefusalChain>();
      this.#byChoice.set(choice, chains.set(checksRefuse, chain));
    }
    return chain;
  }

  /** Checks that rules of the content ask about. */
  #named(choice: RuleChoice): ReadonlySet<string> {
    const known = this.#asked.get(choice) ?? new Set([...choice.asks('headers'), ...choice.asks('body')]);
    this.#asked.set(choice, known);
    return known;
  }

  get #scoping(): Scoping {
    const { policies, rules, usersSetChecks } = this.#sources.subject.snapshot;
    return { differ: policies.differ || usersSetChecks, skipsSingly: rules.skipsSingly };
  }

  #someRefuseAll(): boolean {
    const { subject, policies, wishes } = this.#sources;
    if (subject.isOutsider && someRefuseAll(policies, this.#scoping)) return true;
    return [...wishes].some(([check, wished]) => wished.has('') && wishedLink(check, policies) !== undefined);
  }

  #checks(address: string): readonly CheckLink[] {
    const { subject, policies, spared, wishes } = this.#sources;
    const { snapshot, isOutsider } = subject;
    const inForce = snapshot.policies.ofDomain(domainOf(address));
    const own = isOutsider ? checkLinks(inForce, policies, this.#scoping) : [];
    const wished = [...wishes].flatMap(([check, addresses]) => {
      const link = addresses.has(address) || addresses.has('') ? wishedLink(check, policies) : undefined;
      return link === undefined ? [] : [link];
    });
    if (own.length + wished.length === 0) return own;
    this.#sparedBy ??= sparedByRecipient(subject.findings);
    const ownSpared = this.#sparedBy.get(address);
    return [...own, ...wished].filter(({ check }) => !spared(check) && ownSpared?.has(check) !== true);
  }
}

/** RFC 1870: who takes no message of that size has heard so at RCPT. */
const isSizeDeclared = ({ facts }: Subject): boolean => facts.declaredSize > 0;

/** A check could refuse one copy without another. */
function checksDiffer({ isOutsider, snapshot: { policies, rules, usersSetChecks } }: Subject): boolean {
  return isOutsider && (policies.differ || rules.skipsSingly || usersSetChecks);
}

/** What lists and rules at RCPT spare each recipient. */
function sparedByRecipient(findings: readonly Finding[]): ReadonlyMap<string, ReadonlySet<string>> {
  const spared = new Map<string, Set<string>>();
  for (const finding of findings) {
    if (finding.recipient === '') continue;
    const action = carriedAction(finding);
    const bySkip = action?.kind === 'skip' && isInnerSkip(finding) ? withSigned(action.check) : [];
    const names = [...sparedBy(finding), ...bySkip];
    if (names.length === 0) continue;
    const before = spared.get(finding.recipient) ?? new Set<string>();
    for (const name of names) before.add(name);
    spared.set(finding.recipient, before);
  }
  return spared;
}
