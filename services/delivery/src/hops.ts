/**
 * The hosts to try for an item: the route's next hops in fallback order, or the MX of its domain. Opens the sealed password of a login.
 * Address literals need no DNS. Bounded by what mx.ts returns and 10 next hops.
 */
import { isIP } from 'node:net';
import type { Random } from '@postern/clock';
import { isAbsent, type Resolver } from '@postern/dns';
import { HopProtocol, type Item, type NextHop, type Route, TlsMode } from '@postern/proto/mail/v1/item';
import { findTargets } from './mx.js';
import type { Secrets } from './secrets.js';
import type { Hop } from './transport.js';

const maxNextHops = 10;

export type HopsResult =
  | { readonly kind: 'hops'; readonly hops: readonly Hop[] }
  | { readonly kind: 'temporary'; readonly enhanced: string; readonly text: string }
  | { readonly kind: 'none'; readonly code: number; readonly enhanced: string; readonly text: string };

export interface HopFinder {
  find(item: Item): Promise<HopsResult>;
}

export interface HopFinderOptions {
  readonly resolver: Resolver;
  readonly random: Random;
  readonly secrets: Secrets;
  /** Port for MX hosts. */
  readonly mxPort: number;
}

const mxSettings = (host: string, port: number, tlsMode: TlsMode): NextHop => ({
  host,
  port,
  protocol: HopProtocol.SMTP,
  tlsMode,
  username: '',
  passwordSecret: '',
  tlsServerName: '',
  implicitTls: false,
});

// RFC 7505 §4.1 and RFC 7504: 556 5.1.10 for a null MX; 550 5.1.2 for a domain that is not there.
const noneReply = {
  'null-mx': { code: 556, enhanced: '5.1.10' },
  'no-domain': { code: 550, enhanced: '5.1.2' },
  'no-address': { code: 550, enhanced: '5.4.4' },
} as const;

export function createHopFinder(options: HopFinderOptions): HopFinder {
  const { resolver, random, secrets, mxPort } = options;

  async function byMx({ domain, egress }: Route): Promise<HopsResult> {
    const tlsMode = egress?.tlsMode || TlsMode.OPPORTUNISTIC;
    const found = await findTargets(resolver, random, domain, mxPort);
    if (found.kind === 'temporary') return { kind: 'temporary', enhanced: '4.4.3', text: found.text };
    if (found.kind === 'none') return { kind: 'none', ...noneReply[found.code], text: found.text };
    return {
      kind: 'hops',
      hops: found.targets.map(({ host, address, port }) => ({
        host,
        address,
        settings: mxSettings(host, port, tlsMode),
      })),
    };
  }

  async function addressesOf(host: string): Promise<readonly string[] | { readonly temporary: boolean }> {
    const literal = host.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1');
    if (isIP(literal) !== 0) return [literal];
    const found = await resolver.addresses(host);
    if (found.kind === 'answer') return found.values.map(({ address }) => address);
    return { temporary: !isAbsent(found) };
  }

  async function byRoute(item: Item, nextHops: readonly NextHop[]): Promise<HopsResult> {
    const hops: Hop[] = [];
    let trouble = 'route has no host with an address';
    for (const settings of nextHops.slice(0, maxNextHops)) {
      const addresses = await addressesOf(settings.host);
      if ('temporary' in addresses) {
        trouble = `next hop ${settings.host}: ${addresses.temporary ? 'DNS gives no answer now' : 'has no address'}`;
        continue;
      }
      let password: string | undefined;
      if (settings.passwordSecret !== '') {
        // `route.<owner>.<name>.<n>`: an operator's next hop is sealed for the operator, not for the tenant of the item.
        const [, owner = item.tenant] = settings.passwordSecret.split('.');
        const secret = await secrets.get(owner, settings.passwordSecret);
        if (secret.kind !== 'value') {
          trouble = `next hop ${settings.host}: login cannot be read (${secret.kind})`;
          continue;
        }
        password = secret.value.toString('utf8');
      }
      for (const address of addresses) {
        hops.push({ host: settings.host, address, settings, ...(password === undefined ? {} : { password }) });
      }
    }
    // A configured next hop that cannot be found is a local fault: temporary, never a bounce.
    return hops.length > 0 ? { kind: 'hops', hops } : { kind: 'temporary', enhanced: '4.4.4', text: trouble };
  }

  return {
    find(item) {
      const route = item.route;
      if (route === undefined)
        return Promise.resolve({ kind: 'temporary', enhanced: '4.3.5', text: 'item has no route' });
      return route.nextHops.length > 0 ? byRoute(item, route.nextHops) : byMx(route);
    },
  };
}
