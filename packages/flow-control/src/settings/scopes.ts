/**
 * Limits of the snapshot as scopes and rates of flow control: what the edge enforces and what `posternctl limit show` reads, from one place.
 * An IP set's own per-address limits take the place of those of service and listener; totals hold besides (design.md, Configuration). Pure.
 */
import type { IpSet, Limits, MessageRate } from '@postern/proto/config/v1/snapshot';
import type { LimitScope, Rate } from '../limits.js';
import type { RateKind, RateLimits, RateSubject } from '../rate-limiter.js';

const defaultIntervalMs = 60_000;
const defaultMessageIntervalMs = 3_600_000;

export function scopeOf(name: string, limits: Limits | undefined): LimitScope[] {
  if (limits === undefined) return [];
  const intervalMs = limits.intervalMs || defaultIntervalMs;
  const count = (value: number): number | undefined => (value === 0 ? undefined : value);
  const rate = (value: number): Rate | undefined => (value === 0 ? undefined : { count: value, intervalMs });
  return [
    {
      name,
      limits: {
        simultaneous: count(limits.connections),
        simultaneousPerAddress: count(limits.connectionsPerIp),
        newPerInterval: rate(limits.connectionRate),
        newPerAddressPerInterval: rate(limits.connectionRatePerIp),
      },
      ...(limits.ipv6Prefix === 0 ? {} : { ipv6Prefix: limits.ipv6Prefix }),
    },
  ];
}

/** Without the per-address limits the set has of its own, or has none of: a member counts against the set's. */
function besides({ limits, ...scope }: LimitScope, { limits: own, unlimited }: IpSet): LimitScope {
  const isSet = (name: 'connectionsPerIp' | 'connectionRatePerIp'): boolean =>
    (own?.[name] ?? 0) !== 0 || unlimited.includes(name);
  return {
    ...scope,
    limits: {
      ...limits,
      ...(isSet('connectionsPerIp') ? { simultaneousPerAddress: undefined } : {}),
      ...(isSet('connectionRatePerIp') ? { newPerAddressPerInterval: undefined } : {}),
    },
  };
}

export const listenerScopes = (
  service: Limits | undefined,
  listener: string,
  own: Limits | undefined,
): LimitScope[] => [...scopeOf('service', service), ...scopeOf(`listener:${listener}`, own)];

export function memberScopes(scopes: readonly LimitScope[], set: IpSet): readonly LimitScope[] {
  return [...scopes.map((scope) => besides(scope, set)), ...scopeOf(`set:${set.name}`, set.limits)];
}

/** Of one member: each rate the set has in place of that of everybody, with its own interval. */
export function memberRate(
  everybody: RateLimits | undefined,
  { messageRate, unlimited }: IpSet,
): RateLimits | undefined {
  if (messageRate === undefined) return everybody;
  const own = rateLimitsOf(messageRate);
  const of = (kind: RateKind): Rate | undefined =>
    unlimited.includes(`messageLimit.${kind}`) ? undefined : (own?.[kind] ?? everybody?.[kind]);
  return noneOf({ messages: of('messages'), recipients: of('recipients'), bytes: of('bytes') });
}

/** What a tenant allows each of its users is counted besides what the operator does: intervals may differ. */
export const tenantUser = (login: string): RateSubject => ({ kind: 'user', id: `${login} (tenant)` });

/** Undefined where nothing is limited: then nobody is asked. */
export function rateLimitsOf(rate: MessageRate | undefined): RateLimits | undefined {
  if (rate === undefined) return undefined;
  const intervalMs = rate.intervalMs || defaultMessageIntervalMs;
  const limit = (count: number): Rate | undefined => (count === 0 ? undefined : { count, intervalMs });
  return noneOf({
    messages: limit(rate.messages),
    recipients: limit(rate.recipients),
    bytes: limit(rate.bytes),
  });
}

const noneOf = (limits: RateLimits): RateLimits | undefined =>
  Object.values(limits).every((one) => one === undefined) ? undefined : limits;
