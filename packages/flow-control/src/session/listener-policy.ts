/** What holds on one listener now: its settings over those of the service over the defaults. Pure; made once per snapshot and listener. */
import type { IpSet, Limits, ListenerSettings, ListenerTls } from '@postern/proto/config/v1/snapshot';
import type { LimitScope } from '../limits.js';
import { ipOctets, parseNetworks } from '../networks/ip-network.js';
import { PrefixTrie } from '../networks/prefix-trie.js';
import type { RateLimits } from '../rate-limiter.js';
import { listenerScopes, memberRate, memberScopes } from '../settings/scopes.js';
import { type ExtensionKeyword, extensionsWithout, offByDefault } from './extensions.js';
import type { ListenerFacts } from './session-view.js';

/** What the settings of one listener say of role and TLS; undefined = not said. */
export interface AgreedSettings {
  readonly role: string | undefined;
  readonly certificates: readonly string[];
  readonly requireTls: boolean | undefined;
  /** TLS may end at a proxy that says so. */
  readonly proxyProtocol: boolean;
}

export interface ListenerPolicy {
  readonly banner: string;
  /** Name in banner, EHLO reply and trace headers. */
  readonly hostname: string;
  /** False: the port is closed. */
  readonly enabled: boolean;
  readonly proxyProtocol: boolean;
  readonly requireTls: boolean;
  /** Words of a rule that demands TLS. */
  readonly requireTlsText?: string;
  /** That rule. */
  readonly requireTlsBy?: string;
  readonly requireAuth: boolean;
  readonly mechanismsTls: readonly string[];
  readonly mechanismsPlain: readonly string[];
  readonly extensions: ReadonlySet<ExtensionKeyword>;
  readonly linePolicy: 'refuse' | 'normalise';
  readonly messageSize: number;
  readonly recipients: number;
  /** 0 = no limit. */
  readonly messagesPerSession: number;
  /** 0 = no limit. */
  readonly bytesPerSession: number;
  readonly errorsPerSession: number;
  /** Limits of connections, service first. */
  readonly scopes: readonly LimitScope[];
  /** Messages, recipients and bytes of one address; undefined = no limit. */
  readonly addressRate: RateLimits | undefined;
  /** Prefix its IPv6 clients are counted by; 0 = that of the service. */
  readonly addressRatePrefix: number;
  /** Checks policy does not run. */
  readonly skipChecks: readonly string[];
  /** Never banned, not slowed down, shed last. */
  readonly trusted: boolean;
  /** What the settings say of role and TLS; undefined = there are none. */
  readonly agreed: AgreedSettings | undefined;
  /** TLS bounds; undefined = the defaults. */
  readonly tls: ListenerTls | undefined;
  /** Rules, `id@version`, that made these settings what they are for a session. */
  readonly ruledBy?: RuledBy;
  /** May this peer say by XCLIENT who its client is? */
  trustsXclient(peerAddress: string): boolean;
}

interface RuledBy {
  readonly plain: string | undefined;
  readonly tls: string | undefined;
  readonly errors: string | undefined;
}

const defaults = {
  messageSize: 52_428_800,
  recipients: 1_000,
  errorsPerSession: 20,
};

function membership(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false;
  const trie = new PrefixTrie<true>();
  for (const network of networks) for (const parsed of parseNetworks(network) ?? []) trie.insert(parsed, true);
  return (address) => {
    const octets = ipOctets(address);
    return octets !== undefined && trie.find(octets) === true;
  };
}

const agreedSettings = ({ role, tls, requireTls, proxyProtocol }: ListenerSettings): AgreedSettings => ({
  role: role === '' ? undefined : role,
  certificates: tls?.certificates ?? [],
  requireTls,
  proxyProtocol,
});

export function listenerPolicy(
  facts: ListenerFacts,
  settings: ListenerSettings | undefined,
  service: Limits | undefined,
  clusterName: string,
  addressRate?: RateLimits,
): ListenerPolicy {
  const own = settings?.limits;
  const submits = facts.role !== 'mx';
  const either = (pick: (limits: Limits) => number, otherwise: number): number =>
    (own === undefined ? 0 : pick(own)) || (service === undefined ? 0 : pick(service)) || otherwise;
  const extensions = extensionsWithout(settings?.extensionsOff ?? offByDefault);
  const mechanisms = (list: readonly string[]): readonly string[] => (extensions.has('AUTH') ? list : []);
  // Settings for another role have the mechanisms of that one.
  const usual = submits ? ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'] : [];
  const isOther = settings !== undefined && settings.role !== '' && settings.role !== facts.role;
  const onTls = settings?.authMechanismsTls ?? usual;
  return {
    banner: settings?.banner || 'ESMTP',
    hostname: settings?.hostname || clusterName,
    enabled: settings?.disabled !== true,
    proxyProtocol: settings?.proxyProtocol ?? false,
    requireTls: settings === undefined ? submits : settings.requireTls || (isOther && submits),
    requireAuth: settings === undefined ? submits : settings.requireAuth || (isOther && submits),
    mechanismsTls: mechanisms(isOther && onTls.length === 0 ? usual : onTls),
    mechanismsPlain: mechanisms(settings?.authMechanismsPlain ?? []),
    extensions,
    linePolicy: settings?.linePolicy === 'normalise' ? 'normalise' : 'refuse',
    messageSize: either((limits) => limits.messageSize, defaults.messageSize),
    recipients: either((limits) => limits.recipients, defaults.recipients),
    messagesPerSession: either((limits) => limits.messagesPerSession, 0),
    bytesPerSession: either((limits) => limits.bytesPerSession, 0),
    errorsPerSession: either((limits) => limits.errorsPerSession, defaults.errorsPerSession),
    scopes: listenerScopes(service, facts.name, own),
    addressRate,
    addressRatePrefix: 0,
    skipChecks: [],
    trusted: false,
    agreed: settings === undefined ? undefined : agreedSettings(settings),
    tls: settings?.tls,
    trustsXclient: membership(settings?.xclientNetworks ?? []),
  };
}

/** Where 0 is the default and not no limit: more than anybody can bring, as the wire carries it. */
const uncounted = 4_294_967_295;

/** What holds for members of an IP set: its own per-address limits, sizes and counts in place of the listener's; totals hold besides. */
export function memberPolicy(policy: ListenerPolicy, set: IpSet): ListenerPolicy {
  const { limits, skipChecks, trusted, unlimited } = set;
  const own = (name: 'messagesPerSession' | 'bytesPerSession' | 'recipients' | 'errorsPerSession', none = 0): number =>
    unlimited.includes(name) ? none : limits?.[name] || policy[name];
  return {
    ...policy,
    messageSize: limits?.messageSize || policy.messageSize,
    recipients: own('recipients', uncounted),
    messagesPerSession: own('messagesPerSession'),
    bytesPerSession: own('bytesPerSession'),
    errorsPerSession: own('errorsPerSession', uncounted),
    scopes: memberScopes(policy.scopes, set),
    addressRate: memberRate(policy.addressRate, set),
    addressRatePrefix: set.messageRate === undefined ? policy.addressRatePrefix : (limits?.ipv6Prefix ?? 0),
    skipChecks,
    trusted,
  };
}
