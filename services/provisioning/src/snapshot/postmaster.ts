/**
 * Who takes mail for `postmaster` without a domain, which every server must take (RFC 5321 §4.5.1): the operator, as far as the configuration says who
 * that is. Pure. Invariant: what is chosen does not change with a domain that is added, changed or verified later, unless that is the host name or a nearer parent of it.
 */
import { canonical, canonicalDomain, domainOf } from '../addresses.js';
import type { OperatorDocument } from '../operator/schema.js';
import type { SnapshotRows } from './compile.js';

type Hosted = ReadonlyMap<string, string>;

/** The host name itself, then its parents, nearest first. */
function nearest(hostname: string, hosted: Hosted): string | undefined {
  let name = canonicalDomain(hostname) ?? '';
  while (name !== '' && !hosted.has(name)) name = name.slice(name.indexOf('.') + 1 || name.length);
  return name === '' ? undefined : name;
}

/** In the order the file has them; one another tenant has by now is not the file's. */
function firstOfFile({ tenants }: OperatorDocument, hosted: Hosted): string | undefined {
  for (const { name: tenant, domains } of tenants)
    for (const { name } of domains) {
      const form = canonicalDomain(name) ?? name;
      if (hosted.get(form) === tenant) return form;
    }
  return undefined;
}

/** An address in a hosted domain; empty = no domain is hosted. */
export function postmasterOf(
  document: OperatorDocument,
  hostname: string,
  { domains, oldest_domain: oldest }: Pick<SnapshotRows, 'domains' | 'oldest_domain'>,
): string {
  const hosted: Hosted = new Map(domains.map(({ name, tenant }) => [name, tenant]));
  const own = canonical(document.postmaster ?? '');
  if (own !== undefined && hosted.has(domainOf(own))) return own;
  const domain = nearest(hostname, hosted) ?? firstOfFile(document, hosted) ?? oldest;
  return domain === null ? '' : `postmaster@${domain}`;
}
