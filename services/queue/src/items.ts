/**
 * Units of one message to items: recipients of one lane with one rendering share an item, at most 100 each (RFC 5321 §4.5.3.1.8 is what every
 * next hop must take). Pure. The body is put in by the caller, who knows where it is.
 */
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item, type Route } from '@postern/proto/mail/v1/item';
import type { Unit } from './expand.js';
import { groupOf, itemId } from './item-id.js';
import type { RuledRetry } from './rules/relay-rules.js';

export const recipientsPerItem = 100;

export interface Planned {
  readonly item: Item;
  readonly units: readonly Unit[];
}

/** A route, or the reason why there is none. */
export type UnitRoute =
  | { readonly route: Route; readonly retry?: RuledRetry | undefined }
  | { readonly reason: string; readonly retry?: RuledRetry | undefined };

const unrouted: Route = {
  laneClass: 0,
  lane: 'unrouted',
  egressPool: 'default',
  nextHops: [],
  domain: '',
  egress: undefined,
};

export interface PlanOptions {
  readonly expiresAtMs: number;
  /** A failure may be reported to the reverse-path. */
  readonly mayNotify: boolean;
  readonly attempt: number;
  /** Rules about delivery may ask where it came from. */
  readonly withOrigin: boolean;
}

/** `units` share one fate; each with its route. */
export function planItems(
  envelope: Envelope,
  units: readonly { readonly unit: Unit; readonly to: UnitRoute }[],
  options: PlanOptions,
): Planned[] {
  const groups = new Map<string, { route: Route; retry: RuledRetry | undefined; units: Unit[] }[]>();
  for (const { unit, to } of units) {
    const { retry } = to;
    const ruled = retry === undefined ? '' : `\n${JSON.stringify(retry)}`;
    const route = 'route' in to ? to.route : unrouted;
    // The domain is part of the key: an item of MX lanes and of next hops that serve several domains has one domain for its checks and logs.
    const key = `${unit.tenant}\n${route.egressPool}\n${route.lane}\n${route.domain}\n${unit.kind}\n${unit.rendering}${ruled}`;
    const list = groups.get(key);
    const last = list?.at(-1);
    if (last !== undefined && last.units.length < recipientsPerItem) last.units.push(unit);
    else if (list !== undefined) list.push({ route, retry, units: [unit] });
    else groups.set(key, [{ route, retry, units: [unit] }]);
  }
  const planned: Planned[] = [];
  for (const list of groups.values()) {
    for (const { route, retry, units: members } of list) {
      const [first] = members;
      if (first === undefined) continue;
      const addresses = members.map(({ address }) => address);
      const group = groupOf(first.tenant, route, addresses);
      const rendering = envelope.renderings[first.rendering];
      planned.push({
        units: members,
        item: Item.fromPartial({
          itemId: itemId(envelope.queueId, group, options.attempt),
          queueId: envelope.queueId,
          group,
          attempt: options.attempt,
          tenant: first.tenant,
          sessionId: envelope.sessionId,
          route,
          recipients: members.map(({ recipient }) => recipient),
          reversePath: envelope.reversePath,
          parameters: envelope.parameters,
          rendering,
          size: envelope.size,
          acceptedAtMs: envelope.acceptedAtMs,
          expiresAtMs:
            retry?.giveUpAfterMs === undefined ? options.expiresAtMs : envelope.acceptedAtMs + retry.giveUpAfterMs,
          traceparent: envelope.traceparent,
          senderAuthenticated: options.mayNotify,
          unitKind: first.kind,
          submittingTenant: envelope.submittingTenant,
          ...(options.withOrigin ? { origin: envelope.origin } : {}),
          ...(retry === undefined ? {} : { retryDelaysMs: [...retry.delaysMs] }),
        }),
      });
    }
  }
  return planned;
}
