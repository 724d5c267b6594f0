/**
 * The words of flow control: what an operator may limit, and what one connection therefore demands of the store.
 * A scope is the service, one listener, or an IP set; each may carry four limits. All scopes given must pass.
 * A limit that is absent is no limit; a limit of 0 admits nothing.
 */

/** At most `count` in any window of `intervalMs`, wherever the window starts. */
export interface Rate {
  readonly count: number;
  readonly intervalMs: number;
}

export interface ConnectionLimits {
  readonly simultaneous?: number | undefined;
  readonly simultaneousPerAddress?: number | undefined;
  readonly newPerInterval?: Rate | undefined;
  readonly newPerAddressPerInterval?: Rate | undefined;
}

export interface LimitScope {
  /** Stable within the service, for example `service`, `listener:mx`, `set:partners`. */
  readonly name: string;
  readonly limits: ConnectionLimits;
  /** Its per-address limits count IPv6 clients by this prefix; absent = as the request says. */
  readonly ipv6Prefix?: number;
}

export type ConnectionLimitKind =
  | 'simultaneous'
  | 'simultaneous-per-address'
  | 'new-per-interval'
  | 'new-per-address-per-interval';

/** One place in a scope that a connection must fit into while it is open. */
export interface LeaseDemand {
  readonly scope: string;
  readonly kind: 'simultaneous' | 'simultaneous-per-address';
  readonly counter: string;
  readonly limit: number;
}

/** One window an event must fit into; `weight` events at once. */
export interface RateDemand<Kind extends string = string> {
  readonly scope: string;
  readonly kind: Kind;
  readonly counter: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly weight: number;
}

export interface ConnectionDemand {
  readonly leases: readonly LeaseDemand[];
  readonly rates: readonly RateDemand<ConnectionLimitKind>[];
}

/** The demands of one connection, in the order of the scopes; that order names the limit a refusal reports. */
export function connectionDemand(
  scopes: readonly LimitScope[],
  prefixIn: (scope: LimitScope) => string,
): ConnectionDemand {
  const leases: LeaseDemand[] = [];
  const rates: RateDemand<ConnectionLimitKind>[] = [];
  for (const scope of scopes) {
    const { name, limits } = scope;
    if (limits.simultaneous !== undefined)
      leases.push({ scope: name, kind: 'simultaneous', counter: `c|${name}`, limit: limits.simultaneous });
    if (limits.simultaneousPerAddress !== undefined)
      leases.push({
        scope: name,
        kind: 'simultaneous-per-address',
        counter: `c|${name}|${prefixIn(scope)}`,
        limit: limits.simultaneousPerAddress,
      });
    if (limits.newPerInterval !== undefined)
      rates.push(rateDemand(name, 'new-per-interval', `r|${name}`, limits.newPerInterval, 1));
    if (limits.newPerAddressPerInterval !== undefined)
      rates.push(
        rateDemand(
          name,
          'new-per-address-per-interval',
          `r|${name}|${prefixIn(scope)}`,
          limits.newPerAddressPerInterval,
          1,
        ),
      );
  }
  return { leases, rates };
}

/** Up to this many events a window is an exact log in the store; above it, SUB_WINDOWS counters. */
export const EXACT_LOG_LIMIT = 1_000;
export const SUB_WINDOWS = 128;

/** The interval and the form of the counter are part of its name: a changed setting starts a fresh window. */
export function rateDemand<Kind extends string>(
  scope: string,
  kind: Kind,
  subject: string,
  rate: Rate,
  weight: number,
): RateDemand<Kind> {
  const form = rate.count <= EXACT_LOG_LIMIT ? 'l' : 's';
  return {
    scope,
    kind,
    counter: `${subject}|${rate.intervalMs}${form}`,
    limit: rate.count,
    windowMs: rate.intervalMs,
    weight,
  };
}

/** What one pod may use by itself while the store is away. At least 1: a limit is never a closed door by division. */
export function localShare(limit: number, livePods: number): number {
  return limit <= 0 ? 0 : Math.max(1, Math.floor(limit / Math.max(1, livePods)));
}
