/**
 * Where a recipient's mail goes: the next hop of a hosted domain, else what the operator says about foreign mail (MX, or one named next hop).
 * Pure over one snapshot; compiled once, asked per recipient, remembered per domain. Does not resolve MX: that is delivery's.
 * Invariants: a tenant's domain is only ever sent to a next hop of that tenant or of the operator; nothing is routed to an egress pool that is not declared,
 * where nobody would ever take it.
 */
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import { LaneClass, Route } from '@postern/proto/mail/v1/item';

const defaultPool = 'default';
/** Domains remembered; forgotten as a whole when full. */
const rememberedDomains = 50_000;

export type RouteResult =
  | { readonly kind: 'routed'; readonly route: Route }
  /** No way out is configured: the mail waits until one is. `lacking`: the route whose pool is not declared, which a rule may give another one. */
  | { readonly kind: 'unrouted'; readonly reason: string; readonly lacking?: Route };

export interface Router {
  /** The owner of a hosted domain decides; foreign mail goes the operator's way. */
  route(address: string): RouteResult;
  /**
   * Of mail that waited and was routed before. What was taken for a domain hosted then and not now stays: as foreign mail it would leave for whoever
   * has the domain elsewhere, or nobody.
   */
  routeAgain(address: string, before: Route | undefined): RouteResult;
  /** Owner of a hosted domain. */
  ownerOf(domain: string): string | undefined;
  /** The same, unless its egress pool is not among those declared. */
  declared(result: RouteResult): RouteResult;
  /** By the name a rule used: the owner's own first, else the operator's; an operator names a tenant's as `tenant/name`. */
  findHop(owner: string | undefined, name: string): NamedHop | undefined;
}

/** Lower-case domain of an address; the part after the last `@`, since quoted local parts may hold one (RFC 5321 §4.1.2). */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

/** A next hop of the configuration. */
export interface NamedHop {
  readonly name: string;
  readonly tenant: string;
  readonly hosts: Route['nextHops'];
  readonly egressPool: string;
}

export function createRouter(snapshot: Snapshot): Router {
  const domains = new Map(snapshot.domains.map((domain) => [domain.name, domain]));
  const hops = new Map<string, NamedHop>();
  for (const hop of snapshot.nextHops) hops.set(`${hop.tenant}/${hop.name}`, hop);
  const findHop = (tenant: string, name: string): NamedHop | undefined =>
    hops.get(`${tenant}/${name}`) ?? hops.get(`/${name}`);
  const toHop = (hop: NamedHop, laneClass: LaneClass, domain: string): RouteResult => ({
    kind: 'routed',
    route: Route.fromPartial({
      laneClass,
      lane: hop.name,
      egressPool: hop.egressPool || defaultPool,
      nextHops: hop.hosts,
      domain,
    }),
  });
  // A release that did not know the field declares nothing.
  const pools = snapshot.egressPools.length === 0 ? undefined : new Set(snapshot.egressPools);
  const declared = (result: RouteResult): RouteResult => {
    if (result.kind === 'unrouted' || pools === undefined || pools.has(result.route.egressPool)) return result;
    const reason = `egress pool ${result.route.egressPool} is not declared`;
    return { kind: 'unrouted', reason, lacking: result.route };
  };
  const decide = (domain: string): RouteResult => {
    const hosted = domains.get(domain);
    if (hosted !== undefined) {
      const hop = findHop(hosted.tenant, hosted.nextHop);
      return hop === undefined
        ? { kind: 'unrouted', reason: `next hop ${hosted.nextHop || '(none)'} of ${domain} does not exist` }
        : toHop(hop, LaneClass.LOCAL, domain);
    }
    if (snapshot.remoteDelivery) {
      return {
        kind: 'routed',
        route: Route.fromPartial({ laneClass: LaneClass.REMOTE, lane: domain, egressPool: defaultPool, domain }),
      };
    }
    const hop = findHop('', snapshot.defaultNextHop);
    return hop === undefined
      ? { kind: 'unrouted', reason: 'remote delivery is off and no default next hop exists' }
      : toHop(hop, LaneClass.SMARTHOST, domain);
  };
  const remembered = new Map<string, RouteResult>();
  const routeOf = (domain: string): RouteResult => {
    const known = remembered.get(domain);
    if (known !== undefined) return known;
    if (remembered.size >= rememberedDomains) remembered.clear();
    const decided = declared(decide(domain));
    remembered.set(domain, decided);
    return decided;
  };
  return {
    declared,
    ownerOf: (domain) => domains.get(domain)?.tenant,
    findHop(owner, name) {
      if (owner !== undefined) return hops.get(`${owner}/${owner}/${name}`) ?? hops.get(`/${name}`);
      return hops.get(`/${name}`) ?? hops.get(`${name.slice(0, Math.max(0, name.indexOf('/')))}/${name}`);
    },
    route: (address) => routeOf(domainOf(address)),
    routeAgain(address, before) {
      const domain = domainOf(address);
      if (before?.laneClass !== LaneClass.LOCAL || domains.has(domain)) return routeOf(domain);
      return { kind: 'unrouted', reason: `${domain} is no longer hosted here` };
    },
  };
}
