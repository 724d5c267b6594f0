/**
 * What a snapshot says of sessions, made ready for asking: access, listeners and their limits, IP sets, hosted domains, relay rights, and the rules
 * a session carries out by itself. The edge decides by it without a call; a simulation says by the same code what the edge would (invariant 10).
 */
import type { Clock } from '@postern/clock';
import type { Domain, IpSet, Snapshot } from '@postern/proto/config/v1/snapshot';
import {
  type Action,
  askedLogins,
  createRuleCompiler,
  earlyRefusals,
  isEarlyRule,
  type RuleBook,
  type RuleCompiler,
  type RuleEvent,
  rightsOf,
  sessionRules,
} from '@postern/rules';
import { ipOctets, parseNetworks } from '../networks/ip-network.js';
import { compileIpSets } from '../networks/ip-sets.js';
import { PrefixTrie } from '../networks/prefix-trie.js';
import { rateLimitsOf } from '../settings/scopes.js';
import { type AccessTable, compileAccess } from './access.js';
import { type ListenerPolicy, listenerPolicy, memberPolicy } from './listener-policy.js';
import type { ListenerFacts, ListenerRole, SessionView } from './session-view.js';

/** Who hears of rules a session could not compute or finish. */
export interface TermsObserver {
  failed(session: SessionView, rule: string, reason: string): void;
  /** The time for the rules of this event ran out. */
  unfinished(session: SessionView, event: RuleEvent): void;
  /** A rule that matched said this; what policy carries out is told there. */
  decided(event: RuleEvent, action: Action['kind']): void;
}

export const unobserved: TermsObserver = {
  failed: () => undefined,
  unfinished: () => undefined,
  decided: () => undefined,
};

export interface SessionTerms {
  readonly access: AccessTable;
  /** Rules a session carries out by itself. */
  readonly rules: RuleBook;
  /** Refusals of rules that a session tells at once. */
  readonly refusals: RuleBook;
  /** Rules of logins that policy has to be asked about at AUTH. */
  readonly askedLogins: RuleBook;
  readonly ruleObserver: TermsObserver;
  listener(facts: ListenerFacts): ListenerPolicy;
  /** Roles of the listeners that have settings. */
  readonly listenerRoles: ReadonlyMap<string, ListenerRole>;
  /** What holds for a client that was found in this set; a set that is gone since leaves what holds for everybody. */
  policyFor(facts: ListenerFacts, ipSet: string | undefined): ListenerPolicy;
  /** The set a client is in. An address that may stand for many clients is in no set that gives more than others have. */
  ipSet(facts: ListenerFacts, clientAddress: string, suspected: boolean): IpSet | undefined;
  /** `name` as lower-case A-label. */
  domain(name: string): Domain | undefined;
  isSuspended(tenant: string): boolean;
  /**
   * Tenant a relay client submits for, by its valid certificate or its address; undefined = no relay right. `suspected`: the address may stand for
   * many clients, so only a network that is this address alone counts.
   */
  relayTenant(clientAddress: string, certificate?: string, suspected?: boolean): string | undefined;
  /** Takes mail for a bare `postmaster` (RFC 5321 §4.5.1); undefined = no domain is hosted. */
  readonly postmaster: { readonly address: string; readonly tenant: string } | undefined;
}

/** Where terms are asked: the snapshot in use now, and the time. */
export interface TermsInUse {
  snapshot(): SessionTerms | undefined;
  readonly clock: Clock;
}

export interface TermsCompilers {
  readonly session: RuleCompiler;
  readonly refusals: RuleCompiler;
  readonly askedLogins: RuleCompiler;
}

/** Keeps the sets that did not change. A tenant's rule that cannot be read is left out; policy, which asks all rules, says so. */
export const termsCompilers = (): TermsCompilers => ({
  session: createRuleCompiler(() => undefined, sessionRules),
  refusals: createRuleCompiler(() => undefined, earlyRefusals),
  askedLogins: createRuleCompiler(() => undefined, askedLogins),
});

export function trieOf<Value>(entries: readonly { network: string; value: Value }[]): PrefixTrie<Value> {
  const trie = new PrefixTrie<Value>();
  for (const { network, value } of entries)
    for (const parsed of parseNetworks(network) ?? []) trie.insert(parsed, value);
  return trie;
}

export function findIn<Value>(trie: PrefixTrie<Value>, address: string): Value | undefined {
  if (trie.size === 0) return undefined;
  const octets = ipOctets(address);
  return octets === undefined ? undefined : trie.find(octets);
}

const isOneAddress = (network: string): boolean =>
  parseNetworks(network)?.every(({ octets, prefixLength }) => prefixLength === octets.length * 8) === true;

const roles: readonly ListenerRole[] = ['mx', 'submission', 'submissions'];

function listenersOf(snapshot: Snapshot, sets: ReturnType<typeof compileIpSets>) {
  const listeners = new Map<string, ListenerPolicy>();
  const ofMembers = new Map<string, ListenerPolicy>();
  const perAddress = rateLimitsOf(snapshot.messageLimits?.perAddress);
  const listener = (facts: ListenerFacts): ListenerPolicy => {
    let policy = listeners.get(facts.name);
    if (policy === undefined) {
      const settings = snapshot.listeners.find(({ name }) => name === facts.name);
      policy = listenerPolicy(facts, settings, snapshot.limits, snapshot.hostname, perAddress);
      listeners.set(facts.name, policy);
    }
    return policy;
  };
  const policyFor = (facts: ListenerFacts, name: string | undefined): ListenerPolicy => {
    const set = name === undefined ? undefined : sets.named(name);
    if (set === undefined) return listener(facts);
    const key = `${facts.name} ${set.name}`;
    let policy = ofMembers.get(key);
    if (policy === undefined) {
      policy = memberPolicy(listener(facts), set);
      ofMembers.set(key, policy);
    }
    return policy;
  };
  const listenerRoles = new Map(
    snapshot.listeners.flatMap(({ name, role }): [string, ListenerRole][] => {
      const own = roles.find((one) => one === (role || name));
      return own === undefined ? [] : [[name, own]];
    }),
  );
  return { listener, policyFor, listenerRoles };
}

/** Provisioning chooses it, so that it stays the same; a release that did not know the field chose none. */
function postmasterOf({ postmaster, hostname, domains }: Snapshot, hosted: ReadonlyMap<string, Domain>) {
  const named = hosted.get(postmaster.slice(postmaster.lastIndexOf('@') + 1));
  if (named !== undefined) return { address: postmaster, tenant: named.tenant };
  const domain = hosted.get(hostname.toLowerCase()) ?? domains[0];
  return domain === undefined ? undefined : { address: `postmaster@${domain.name}`, tenant: domain.tenant };
}

export function compileTerms(
  snapshot: Snapshot,
  compilers = termsCompilers(),
  ruleObserver: TermsObserver = unobserved,
): SessionTerms {
  const domains = new Map(snapshot.domains.map((domain) => [domain.name.toLowerCase(), domain]));
  const suspended = new Set(snapshot.tenants.filter(({ state }) => state === 'suspended').map(({ name }) => name));
  const relay = trieOf(snapshot.relayNetworks.map(({ network, tenant }) => ({ network, value: tenant })));
  const certificates = new Map(snapshot.relayCertificates.map(({ fingerprint, tenant }) => [fingerprint, tenant]));
  const relayAlone = trieOf(
    snapshot.relayNetworks
      .filter(({ network }) => isOneAddress(network))
      .map(({ network, tenant }) => ({ network, value: tenant })),
  );
  const sets = compileIpSets(snapshot.ipSets);
  const rights = rightsOf(snapshot.tenants);
  return {
    access: compileAccess(snapshot.accessRules, sets),
    rules: compilers.session.compile(snapshot.rules, rights),
    refusals: compilers.refusals.compile(snapshot.rules.filter(isEarlyRule), rights),
    askedLogins: compilers.askedLogins.compile(snapshot.rules.filter(isEarlyRule), rights),
    ruleObserver,
    ...listenersOf(snapshot, sets),
    ipSet(facts, address, suspected) {
      const set = sets.find(facts.name, address);
      if (!suspected || snapshot.snatGuardOff || set === undefined) return set;
      return set.trusted || set.skipChecks.length > 0 ? undefined : set;
    },
    domain: (name) => domains.get(name),
    isSuspended: (tenant) => suspended.has(tenant),
    relayTenant(address, certificate, suspected) {
      const byCertificate = certificate === undefined ? undefined : certificates.get(certificate);
      return (
        byCertificate ?? findIn(suspected === true && snapshot.snatGuardOff !== true ? relayAlone : relay, address)
      );
    },
    postmaster: postmasterOf(snapshot, domains),
  };
}
