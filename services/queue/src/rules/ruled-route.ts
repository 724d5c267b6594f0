/**
 * The route a rule chooses, laid over the one the recipient has. The lane's name says everything that differs, so that mail with other TLS, source
 * or login never shares a lane, an item or a kept connection with it. Names are looked up among the next hops of the rule's owner and the operator.
 */
import { Egress, LaneClass, NextHop, Route, TlsMode } from '@postern/proto/mail/v1/item';
import type { RouteAction } from '@postern/rules';
import type { NamedHop, RouteResult } from '../route.js';

/** Finds a next hop by the name a rule of this owner used; undefined owner = the operator. */
export type FindHop = (owner: string | undefined, name: string) => NamedHop | undefined;

export interface RouteQuestion {
  readonly action: RouteAction;
  readonly owner: string | undefined;
  readonly before: RouteResult;
  /** Recipient domain. */
  readonly domain: string;
  readonly findHop: FindHop;
}

const defaultPool = 'default';

const modes = {
  none: TlsMode.NONE,
  opportunistic: TlsMode.OPPORTUNISTIC,
  required: TlsMode.REQUIRED,
  verified: TlsMode.VERIFIED,
  implicit: TlsMode.REQUIRED,
} as const;

export function ruledRoute({ action, owner, before, domain, findHop }: RouteQuestion): RouteResult {
  const next = nextOf(action, owner, findHop);
  if (typeof next === 'string') return { kind: 'unrouted', reason: next };
  const base = before.kind === 'routed' ? before.route : before.lacking;
  if (next === undefined && base === undefined) return before;
  const hosts = next?.hosts ?? base?.nextHops ?? [];
  const egressPool = action.egressPool ?? next?.egressPool ?? base?.egressPool ?? defaultPool;
  const isLocal = base?.laneClass === LaneClass.LOCAL;
  return {
    kind: 'routed',
    route: Route.fromPartial({
      laneClass: isLocal || next === undefined ? (base?.laneClass ?? LaneClass.SMARTHOST) : LaneClass.SMARTHOST,
      lane: [next?.name ?? base?.lane ?? domain, ...differences(action)].join(' '),
      egressPool: egressPool === '' ? defaultPool : egressPool,
      nextHops: hosts.map((host) => withTls(host, action)),
      domain,
      egress: Egress.fromPartial({
        sourceAddress: action.sourceAddress ?? '',
        helo: action.helo ?? '',
        tlsMode: action.tls === undefined ? TlsMode.UNSPECIFIED : modes[action.tls],
        tlsVersions: [...action.tlsVersions],
      }),
    }),
  };
}

interface Next {
  readonly name: string;
  readonly hosts: readonly NextHop[];
  readonly egressPool: string | undefined;
}

/** A text says why there is none. */
function nextOf({ next }: RouteAction, owner: string | undefined, findHop: FindHop): Next | string | undefined {
  if (next.kind === 'unchanged') return undefined;
  if (next.kind === 'named') {
    const found = findHop(owner, next.name);
    if (found === undefined) return `next hop ${next.name} of a rule does not exist`;
    return { name: found.name, hosts: found.hosts, egressPool: found.egressPool || undefined };
  }
  const { host, port, login } = next;
  const by = login === undefined ? undefined : findHop(owner, login)?.hosts.find(({ username }) => username !== '');
  if (login !== undefined && by === undefined) return `next hop ${login} has no login for the route of a rule`;
  const { username = '', passwordSecret = '' } = by ?? {};
  const name = `${host}:${port}${login === undefined ? '' : ` login ${login}`}`;
  return { name, hosts: [NextHop.fromPartial({ host, port, username, passwordSecret })], egressPool: undefined };
}

function withTls(host: NextHop, { tls }: RouteAction): NextHop {
  return tls === undefined ? host : { ...host, tlsMode: modes[tls], implicitTls: tls === 'implicit' };
}

function differences({ tls, tlsVersions, sourceAddress, helo, egressPool }: RouteAction): string[] {
  return [
    ...(tls === undefined ? [] : [`tls ${tls}`]),
    ...(tlsVersions.length === 0 ? [] : [tlsVersions.join('+')]),
    ...(sourceAddress === undefined ? [] : [`from ${sourceAddress}`]),
    ...(helo === undefined ? [] : [`as ${helo}`]),
    ...(egressPool === undefined ? [] : [`by ${egressPool}`]),
  ];
}
