/** What holds on one listener now: its settings over those of the service over the defaults. Pure; made once per snapshot and listener. */
import type { LimitScope } from '@postern/flow-control';
import type { IpSet, Limits, ListenerSettings, ListenerTls } from '@postern/proto/config/v1/snapshot';
import { ipOctets, parseNetworks } from '../ip-network.js';
import { PrefixTrie } from '../prefix-trie.js';
import type { ListenerFacts } from '../session.js';
import { type ExtensionKeyword, extensionsWithout } from './extensions.js';

export interface ListenerPolicy {
  readonly banner: string;
  /** Name in banner, EHLO reply and trace headers. */
  readonly hostname: string;
  /** False: the port is closed. */
  readonly enabled: boolean;
  readonly proxyProtocol: boolean;
  readonly requireTls: boolean;
  readonly requireAuth: boolean;
  readonly mechanismsTls: readonly string[];
  readonly mechanismsPlain: readonly string[];
  readonly extensions: ReadonlySet<ExtensionKeyword>;
  readonly linePolicy: 'refuse' | 'normalise';
  readonly messageSize: number;
  readonly recipients: number;
  /** 0 = no limit. */
  readonly messagesPerSession: number;
  readonly errorsPerSession: number;
  /** Limits of connections, service first. */
  readonly scopes: readonly LimitScope[];
  /** Checks policy does not run. */
  readonly skipChecks: readonly string[];
  /** Never banned, not slowed down, shed last. */
  readonly trusted: boolean;
  /** TLS bounds; undefined = the defaults. */
  readonly tls: ListenerTls | undefined;
  /** May this peer say by XCLIENT who its client is? */
  trustsXclient(peerAddress: string): boolean;
}

const defaults = {
  messageSize: 52_428_800,
  recipients: 1_000,
  errorsPerSession: 20,
  intervalMs: 60_000,
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

function membership(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false;
  const trie = new PrefixTrie<true>();
  for (const network of networks) for (const parsed of parseNetworks(network) ?? []) trie.insert(parsed, true);
  return (address) => {
    const octets = ipOctets(address);
    return octets !== undefined && trie.find(octets) === true;
  };
}

export function listenerPolicy(
  facts: ListenerFacts,
  settings: ListenerSettings | undefined,
  service: Limits | undefined,
  clusterName: string,
): ListenerPolicy {
  const own = settings?.limits;
  const submits = facts.role !== 'mx';
  const either = (pick: (limits: Limits) => number, otherwise: number): number =>
    (own === undefined ? 0 : pick(own)) || (service === undefined ? 0 : pick(service)) || otherwise;
  const extensions = extensionsWithout(settings?.extensionsOff ?? []);
  const mechanisms = (list: readonly string[]): readonly string[] => (extensions.has('AUTH') ? list : []);
  return {
    banner: settings?.banner || 'ESMTP',
    hostname: settings?.hostname || clusterName,
    enabled: settings?.disabled !== true,
    proxyProtocol: settings?.proxyProtocol ?? false,
    requireTls: settings?.requireTls ?? submits,
    requireAuth: settings?.requireAuth ?? submits,
    mechanismsTls: mechanisms(settings?.authMechanismsTls ?? (submits ? ['PLAIN', 'LOGIN'] : [])),
    mechanismsPlain: mechanisms(settings?.authMechanismsPlain ?? []),
    extensions,
    linePolicy: settings?.linePolicy === 'normalise' ? 'normalise' : 'refuse',
    messageSize: either((limits) => limits.messageSize, defaults.messageSize),
    recipients: either((limits) => limits.recipients, defaults.recipients),
    messagesPerSession: either((limits) => limits.messagesPerSession, 0),
    errorsPerSession: either((limits) => limits.errorsPerSession, defaults.errorsPerSession),
    scopes: [...scopeOf('service', service), ...scopeOf(`listener:${facts.name}`, own)],
    skipChecks: [],
    trusted: false,
    tls: settings?.tls,
    trustsXclient: membership(settings?.xclientNetworks ?? []),
  };
}

/** Without the per-address limits the set has of its own: a member counts against the set's. */
function besides({ name, limits }: LimitScope, own: LimitScope['limits']): LimitScope {
  return {
    name,
    limits: {
      ...limits,
      ...(own.simultaneousPerAddress === undefined ? {} : { simultaneousPerAddress: undefined }),
      ...(own.newPerAddressPerInterval === undefined ? {} : { newPerAddressPerInterval: undefined }),
    },
  };
}

/** What holds for members of an IP set: its own per-address limits, sizes and counts in place of the listener's; totals hold besides. */
export function memberPolicy(policy: ListenerPolicy, set: IpSet): ListenerPolicy {
  const { limits, skipChecks, trusted } = set;
  const own = scopeOf(`set:${set.name}`, limits);
  const scopes = own.reduce((outer, { limits: ofSet }) => outer.map((scope) => besides(scope, ofSet)), policy.scopes);
  return {
    ...policy,
    messageSize: limits?.messageSize || policy.messageSize,
    recipients: limits?.recipients || policy.recipients,
    messagesPerSession: limits?.messagesPerSession || policy.messagesPerSession,
    errorsPerSession: limits?.errorsPerSession || policy.errorsPerSession,
    scopes: [...scopes, ...own],
    skipChecks,
    trusted,
  };
}
