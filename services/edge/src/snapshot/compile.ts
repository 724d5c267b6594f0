/**
 * A snapshot made ready for use: networks to tries, domains and tenants to maps, limits with their defaults. Done once per change, swapped
 * whole; a session asks for the current one at each step and never keeps parts of two. Pure.
 */
import type { LimitScope } from '@postern/flow-control';
import type { Domain, Limits, ListenerSettings, Snapshot } from '@postern/proto/config/v1/snapshot';
import { type AccessTable, compileAccess } from '../access.js';
import { ipOctets, parseNetworks } from '../ip-network.js';
import { PrefixTrie } from '../prefix-trie.js';
import type { ListenerFacts } from '../session.js';

export interface ListenerPolicy {
  readonly banner: string;
  readonly proxyProtocol: boolean;
  readonly requireTls: boolean;
  readonly requireAuth: boolean;
  readonly mechanismsTls: readonly string[];
  readonly mechanismsPlain: readonly string[];
  readonly messageSize: number;
  readonly recipients: number;
  /** 0 = no limit. */
  readonly messagesPerSession: number;
  readonly errorsPerSession: number;
  /** Limits of connections, service first. */
  readonly scopes: readonly LimitScope[];
}

export interface CompiledSnapshot {
  readonly version: number;
  readonly hostname: string;
  readonly access: AccessTable;
  readonly admitWhenPolicyAway: boolean;
  /** IPv6 clients are counted by networks of this length. */
  readonly ipv6Prefix: number;
  listener(facts: ListenerFacts): ListenerPolicy;
  /** `name` as lower-case A-label. */
  domain(name: string): Domain | undefined;
  isSuspended(tenant: string): boolean;
  /** Tenant a relay client submits for; undefined = no relay right. */
  relayTenant(clientAddress: string): string | undefined;
  isTrustedProxy(address: string): boolean;
  /** Domain that answers for a bare `postmaster` (RFC 5321 §4.5.1). */
  readonly postmasterDomain: string | undefined;
}

const defaults = {
  messageSize: 52_428_800,
  recipients: 1_000,
  errorsPerSession: 20,
  intervalMs: 60_000,
  ipv6Prefix: 64,
};

function scopeOf(name: string, limits: Limits | undefined): LimitScope[] {
  if (limits === undefined) return [];
  const intervalMs = limits.intervalMs || defaults.intervalMs;
  const count = (value: number): number | undefined => (value === 0 ? undefined : value);
  const rate = (value: number) => (value === 0 ? undefined : { count: value, intervalMs });
  return [
    {
      name,
      limits: {
        simultaneous: count(limits.connections),
        simultaneousPerAddress: count(limits.connectionsPerIp),
        newPerInterval: rate(limits.connectionRate),
        newPerAddressPerInterval: rate(limits.connectionRatePerIp),
      },
    },
  ];
}

function listenerPolicy(
  facts: ListenerFacts,
  settings: ListenerSettings | undefined,
  service: Limits | undefined,
): ListenerPolicy {
  const own = settings?.limits;
  const submits = facts.role !== 'mx';
  const either = (pick: (limits: Limits) => number, otherwise: number): number =>
    (own === undefined ? 0 : pick(own)) || (service === undefined ? 0 : pick(service)) || otherwise;
  return {
    banner: settings?.banner || 'ESMTP',
    proxyProtocol: settings?.proxyProtocol ?? false,
    requireTls: settings?.requireTls ?? submits,
    requireAuth: settings?.requireAuth ?? submits,
    mechanismsTls: settings?.authMechanismsTls ?? (submits ? ['PLAIN', 'LOGIN'] : []),
    mechanismsPlain: settings?.authMechanismsPlain ?? [],
    messageSize: either((limits) => limits.messageSize, defaults.messageSize),
    recipients: either((limits) => limits.recipients, defaults.recipients),
    messagesPerSession: either((limits) => limits.messagesPerSession, 0),
    errorsPerSession: either((limits) => limits.errorsPerSession, defaults.errorsPerSession),
    scopes: [...scopeOf('service', service), ...scopeOf(`listener:${facts.name}`, own)],
  };
}

function trieOf<Value>(entries: readonly { network: string; value: Value }[]): PrefixTrie<Value> {
  const trie = new PrefixTrie<Value>();
  for (const { network, value } of entries)
    for (const parsed of parseNetworks(network) ?? []) trie.insert(parsed, value);
  return trie;
}

export function compileSnapshot(snapshot: Snapshot): CompiledSnapshot {
  const domains = new Map(snapshot.domains.map((domain) => [domain.name.toLowerCase(), domain]));
  const suspended = new Set(snapshot.tenants.filter(({ state }) => state === 'suspended').map(({ name }) => name));
  const relay = trieOf(snapshot.relayNetworks.map(({ network, tenant }) => ({ network, value: tenant })));
  const proxies = trieOf(snapshot.trustedProxies.map((network) => ({ network, value: true })));
  const find = <Value>(trie: PrefixTrie<Value>, address: string): Value | undefined => {
    if (trie.size === 0) return undefined;
    const octets = ipOctets(address);
    return octets === undefined ? undefined : trie.find(octets);
  };
  const listeners = new Map<string, ListenerPolicy>();
  const own = snapshot.hostname.toLowerCase();
  return {
    version: snapshot.version,
    hostname: snapshot.hostname,
    access: compileAccess(snapshot.accessRules),
    admitWhenPolicyAway: snapshot.admitWhenPolicyAway,
    ipv6Prefix: snapshot.limits?.ipv6Prefix || defaults.ipv6Prefix,
    listener(facts) {
      let policy = listeners.get(facts.name);
      if (policy === undefined) {
        const settings = snapshot.listeners.find(({ name }) => name === facts.name);
        policy = listenerPolicy(facts, settings, snapshot.limits);
        listeners.set(facts.name, policy);
      }
      return policy;
    },
    domain: (name) => domains.get(name),
    isSuspended: (tenant) => suspended.has(tenant),
    relayTenant: (address) => find(relay, address),
    isTrustedProxy: (address) => find(proxies, address) === true,
    postmasterDomain: domains.has(own) ? own : snapshot.domains[0]?.name,
  };
}
