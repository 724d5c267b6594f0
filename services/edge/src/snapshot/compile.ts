/**
 * A snapshot made ready for use: networks to tries, domains and tenants to maps, limits with their defaults. Done once per change, swapped
 * whole; a session asks for the current one at each step and never keeps parts of two. Pure.
 */
import {
  compileIpSets,
  ipOctets,
  PrefixTrie,
  parseNetworks,
  type RateLimits,
  rateLimitsOf,
} from '@postern/flow-control';
import { type Domain, ErrorControl, type IpSet, type Overload, type Snapshot } from '@postern/proto/config/v1/snapshot';
import {
  createRuleCompiler,
  earlyRefusals,
  isEarlyRule,
  type RuleBook,
  type RuleCompiler,
  rightsOf,
  sessionRules,
} from '@postern/rules';
import { type AccessTable, compileAccess } from '../access.js';
import { type RuleObserver, unobserved } from '../rules/rule-observer.js';
import type { ListenerFacts } from '../session.js';
import { type Deadlines, deadlinesOf } from '../smtp/deadlines.js';
import { type ListenerPolicy, listenerPolicy, memberPolicy } from './listener-policy.js';

export interface CompiledSnapshot {
  readonly version: number;
  readonly hostname: string;
  readonly access: AccessTable;
  readonly admitWhenPolicyAway: boolean;
  /** Rules a session carries out by itself. */
  readonly rules: RuleBook;
  /** Refusals of rules that a session tells at once. */
  readonly refusals: RuleBook;
  readonly ruleObserver: RuleObserver;
  /** IPv6 clients are counted by networks of this length. */
  readonly ipv6Prefix: number;
  listener(facts: ListenerFacts): ListenerPolicy;
  /** What holds for a client that was found in this set; a set that is gone since leaves what holds for everybody. */
  policyFor(facts: ListenerFacts, ipSet: string | undefined): ListenerPolicy;
  readonly deadlines: Deadlines;
  /** Marks of overload; undefined = the defaults. */
  readonly overload: Overload | undefined;
  /** Nothing is counted, slowed down or banned where a snapshot does not say so. */
  readonly errorControl: ErrorControl;
  /** Whether any limit of messages is set at all. */
  readonly limitsMessages: boolean;
  /** Messages, recipients and bytes per interval of every user, and of this tenant; undefined = no limit. */
  readonly userRate: RateLimits | undefined;
  /** What a tenant allows each of its users. */
  tenantUserRate(tenant: string): RateLimits | undefined;
  tenantRate(tenant: string): RateLimits | undefined;
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
  isTrustedProxy(address: string): boolean;
  /** Names of the listeners that have settings. */
  readonly listenerNames: readonly string[];
  /** Domain that answers for a bare `postmaster` (RFC 5321 §4.5.1). */
  readonly postmasterDomain: string | undefined;
}

const defaultIpv6Prefix = 64;

function trieOf<Value>(entries: readonly { network: string; value: Value }[]): PrefixTrie<Value> {
  const trie = new PrefixTrie<Value>();
  for (const { network, value } of entries)
    for (const parsed of parseNetworks(network) ?? []) trie.insert(parsed, value);
  return trie;
}

const isOneAddress = (network: string): boolean =>
  parseNetworks(network)?.every(({ octets, prefixLength }) => prefixLength === octets.length * 8) === true;

/** Keeps the sets that did not change. A tenant's rule that cannot be read is left out; policy, which asks all rules, says so. */
export const edgeRuleCompilers = (): RuleCompilers => ({
  session: createRuleCompiler(() => undefined, sessionRules),
  refusals: createRuleCompiler(() => undefined, earlyRefusals),
});

export interface RuleCompilers {
  readonly session: RuleCompiler;
  readonly refusals: RuleCompiler;
}

export function compileSnapshot(
  snapshot: Snapshot,
  compilers = edgeRuleCompilers(),
  ruleObserver: RuleObserver = unobserved,
): CompiledSnapshot {
  const domains = new Map(snapshot.domains.map((domain) => [domain.name.toLowerCase(), domain]));
  const suspended = new Set(snapshot.tenants.filter(({ state }) => state === 'suspended').map(({ name }) => name));
  const relay = trieOf(snapshot.relayNetworks.map(({ network, tenant }) => ({ network, value: tenant })));
  const certificates = new Map(snapshot.relayCertificates.map(({ fingerprint, tenant }) => [fingerprint, tenant]));
  const relayAlone = trieOf(
    snapshot.relayNetworks
      .filter(({ network }) => isOneAddress(network))
      .map(({ network, tenant }) => ({ network, value: tenant })),
  );
  const proxies = trieOf(snapshot.trustedProxies.map((network) => ({ network, value: true })));
  const find = <Value>(trie: PrefixTrie<Value>, address: string): Value | undefined => {
    if (trie.size === 0) return undefined;
    const octets = ipOctets(address);
    return octets === undefined ? undefined : trie.find(octets);
  };
  const listeners = new Map<string, ListenerPolicy>();
  const ofMembers = new Map<string, ListenerPolicy>();
  const sets = compileIpSets(snapshot.ipSets);
  const perAddress = rateLimitsOf(snapshot.messageLimits?.perAddress);
  const perTenant = rateLimitsOf(snapshot.messageLimits?.perTenant);
  const perUser = rateLimitsOf(snapshot.messageLimits?.perUser);
  const ofTenants = new Map(
    snapshot.tenants
      .filter(({ messageRate }) => messageRate !== undefined)
      .map(({ name, messageRate }) => [name, rateLimitsOf(messageRate)]),
  );
  const ofUsers = new Map(snapshot.tenants.map(({ name, userMessageRate }) => [name, rateLimitsOf(userMessageRate)]));
  const own = snapshot.hostname.toLowerCase();
  const listener = (facts: ListenerFacts): ListenerPolicy => {
    let policy = listeners.get(facts.name);
    if (policy === undefined) {
      const settings = snapshot.listeners.find(({ name }) => name === facts.name);
      policy = listenerPolicy(facts, settings, snapshot.limits, snapshot.hostname, perAddress);
      listeners.set(facts.name, policy);
    }
    return policy;
  };
  return {
    version: snapshot.version,
    hostname: snapshot.hostname,
    access: compileAccess(snapshot.accessRules, sets),
    admitWhenPolicyAway: snapshot.admitWhenPolicyAway,
    rules: compilers.session.compile(snapshot.rules, rightsOf(snapshot.tenants)),
    refusals: compilers.refusals.compile(snapshot.rules.filter(isEarlyRule), rightsOf(snapshot.tenants)),
    ruleObserver,
    ipv6Prefix: snapshot.limits?.ipv6Prefix || defaultIpv6Prefix,
    listener,
    policyFor(facts, name) {
      const set = name === undefined ? undefined : sets.named(name);
      if (set === undefined) return listener(facts);
      const key = `${facts.name} ${set.name}`;
      let policy = ofMembers.get(key);
      if (policy === undefined) {
        policy = memberPolicy(listener(facts), set);
        ofMembers.set(key, policy);
      }
      return policy;
    },
    deadlines: deadlinesOf(snapshot.deadlines),
    overload: snapshot.overload,
    errorControl: snapshot.errorControl ?? ErrorControl.fromPartial({}),
    limitsMessages:
      [perAddress, perUser, perTenant, ...ofTenants.values(), ...ofUsers.values()].some((rate) => rate !== undefined) ||
      snapshot.ipSets.some(({ messageRate }) => rateLimitsOf(messageRate) !== undefined),
    userRate: perUser,
    tenantUserRate: (tenant) => ofUsers.get(tenant),
    tenantRate: (tenant) => (ofTenants.has(tenant) ? ofTenants.get(tenant) : perTenant),
    ipSet(facts, address, suspected) {
      const set = sets.find(facts.name, address);
      if (!suspected || snapshot.snatGuardOff || set === undefined) return set;
      return set.trusted || set.skipChecks.length > 0 ? undefined : set;
    },
    domain: (name) => domains.get(name),
    isSuspended: (tenant) => suspended.has(tenant),
    relayTenant(address, certificate, suspected) {
      const byCertificate = certificate === undefined ? undefined : certificates.get(certificate);
      return byCertificate ?? find(suspected === true && snapshot.snatGuardOff !== true ? relayAlone : relay, address);
    },
    listenerNames: snapshot.listeners.map(({ name }) => name),
    isTrustedProxy: (address) => find(proxies, address) === true,
    postmasterDomain: domains.has(own) ? own : snapshot.domains[0]?.name,
  };
}
