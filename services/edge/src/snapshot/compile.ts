/**
 * A snapshot made ready for use: networks to tries, domains and tenants to maps, limits with their defaults. Done once per change, swapped
 * whole; a session asks for the current one at each step and never keeps parts of two. Pure.
 */
import { type RateLimits, rateLimitsOf } from '@postern/flow-control';
import {
  compileTerms,
  findIn,
  type SessionTerms,
  type TermsCompilers,
  type TermsObserver,
  termsCompilers,
  trieOf,
  unobserved,
} from '@postern/flow-control/session';
import { ErrorControl, type Overload, type Snapshot } from '@postern/proto/config/v1/snapshot';
import { type Deadlines, deadlinesOf } from '../smtp/deadlines.js';

export interface CompiledSnapshot extends SessionTerms {
  readonly version: number;
  readonly hostname: string;
  readonly admitWhenPolicyAway: boolean;
  /** IPv6 clients are counted by networks of this length. */
  readonly ipv6Prefix: number;
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
  isTrustedProxy(address: string): boolean;
  /** Names of the listeners that have settings. */
  readonly listenerNames: readonly string[];
}

const defaultIpv6Prefix = 64;

export function compileSnapshot(
  snapshot: Snapshot,
  compilers: TermsCompilers = termsCompilers(),
  ruleObserver: TermsObserver = unobserved,
): CompiledSnapshot {
  const proxies = trieOf(snapshot.trustedProxies.map((network) => ({ network, value: true })));
  const perAddress = rateLimitsOf(snapshot.messageLimits?.perAddress);
  const perTenant = rateLimitsOf(snapshot.messageLimits?.perTenant);
  const perUser = rateLimitsOf(snapshot.messageLimits?.perUser);
  const ofTenants = new Map(
    snapshot.tenants
      .filter(({ messageRate }) => messageRate !== undefined)
      .map(({ name, messageRate }) => [name, rateLimitsOf(messageRate)]),
  );
  const ofUsers = new Map(snapshot.tenants.map(({ name, userMessageRate }) => [name, rateLimitsOf(userMessageRate)]));
  return {
    version: snapshot.version,
    hostname: snapshot.hostname,
    ...compileTerms(snapshot, compilers, ruleObserver),
    admitWhenPolicyAway: snapshot.admitWhenPolicyAway,
    ipv6Prefix: snapshot.limits?.ipv6Prefix || defaultIpv6Prefix,
    deadlines: deadlinesOf(snapshot.deadlines),
    overload: snapshot.overload,
    errorControl: snapshot.errorControl ?? ErrorControl.fromPartial({}),
    limitsMessages:
      [perAddress, perUser, perTenant, ...ofTenants.values(), ...ofUsers.values()].some((rate) => rate !== undefined) ||
      snapshot.ipSets.some(({ messageRate }) => rateLimitsOf(messageRate) !== undefined),
    userRate: perUser,
    tenantUserRate: (tenant) => ofUsers.get(tenant),
    tenantRate: (tenant) => (ofTenants.has(tenant) ? ofTenants.get(tenant) : perTenant),
    listenerNames: snapshot.listeners.map(({ name }) => name),
    isTrustedProxy: (address) => findIn(proxies, address) === true,
  };
}
