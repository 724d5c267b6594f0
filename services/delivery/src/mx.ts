/**
 * Which hosts take mail for a domain (RFC 5321 §5.1): MX by preference, equal ones shuffled; a null MX (RFC 7505) is a final no; without MX
 * the domain's own addresses. Bounded: 10 hosts, 20 addresses. Temporary DNS trouble is never read as "no such domain".
 */
import type { Random } from '@postern/clock';
import { isAbsent, type Resolver } from '@postern/dns';

const maxHosts = 10;
const maxAddresses = 20;

export interface Target {
  /** Host name as in the MX record: the name for TLS and logs. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export type MxResult =
  | {
      readonly kind: 'targets';
      readonly targets: readonly Target[] /** Site: the sorted MX hosts. */;
      readonly site: string;
    }
  | { readonly kind: 'none'; readonly code: 'null-mx' | 'no-domain' | 'no-address'; readonly text: string }
  | { readonly kind: 'temporary'; readonly text: string };

function shuffledByPreference(records: readonly { preference: number; exchange: string }[], random: Random): string[] {
  return records
    .map((record) => ({ ...record, tie: random.float() }))
    .sort((a, b) => a.preference - b.preference || a.tie - b.tie)
    .slice(0, maxHosts)
    .map(({ exchange }) => exchange);
}

export async function findTargets(resolver: Resolver, random: Random, domain: string, port: number): Promise<MxResult> {
  const mx = await resolver.mx(domain);
  let hosts: string[];
  if (mx.kind === 'answer') {
    if (mx.values.length === 1 && mx.values[0]?.exchange === '') {
      return { kind: 'none', code: 'null-mx', text: `domain ${domain} does not accept mail (null MX)` };
    }
    hosts = shuffledByPreference(mx.values, random).filter((host) => host !== '');
  } else if (mx.kind === 'nxdomain') {
    return { kind: 'none', code: 'no-domain', text: `domain ${domain} does not exist` };
  } else if (isAbsent(mx)) {
    hosts = [domain];
  } else {
    return { kind: 'temporary', text: `MX of ${domain}: ${mx.kind}` };
  }
  const targets: Target[] = [];
  let trouble: string | undefined;
  for (const host of hosts) {
    const found = await resolver.addresses(host);
    if (found.kind === 'answer') for (const { address } of found.values) targets.push({ host, address, port });
    else if (!isAbsent(found)) trouble = `addresses of ${host}: ${found.kind}`;
    if (targets.length >= maxAddresses) break;
  }
  if (targets.length > 0)
    return { kind: 'targets', targets: targets.slice(0, maxAddresses), site: [...hosts].sort().join(',') };
  if (trouble !== undefined) return { kind: 'temporary', text: trouble };
  return { kind: 'none', code: 'no-address', text: `no host of ${domain} has an address` };
}
