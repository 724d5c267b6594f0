/**
 * Catch-all addresses of the operator file that nobody has: they may be made through the API, so the file is taken, and it is told: until then whoever is
 * unknown in the domain is refused.
 */
import { type Fault, type FieldPath, pathText } from '@postern/config';
import { canonical, canonicalDomain, domainOf } from '../addresses.js';
import type { Transaction } from '../database/tenant-scope.js';
import { emptyTargets } from '../resources/empty-targets.js';
import { roleLocalParts } from '../snapshot/outbox.js';
import type { OperatorDocument } from './schema.js';

interface CatchAll {
  readonly path: FieldPath;
  readonly name: string;
  /** In the form of the directory. */
  readonly address: string;
}

const mostNotes = 20;
const effect = (name: string): string => `the catch-all of ${name} takes nothing and who is unknown is refused`;

function catchAlls({ tenants }: OperatorDocument): CatchAll[] {
  return tenants.flatMap(({ domains }, tenant) =>
    domains.flatMap(({ name, catchAll, validateRecipients }, index) => {
      const address = canonical(catchAll);
      if (address === undefined || !validateRecipients) return [];
      return [{ path: ['tenants', tenant, 'domains', index, 'catchAll'], name, address }];
    }),
  );
}

/** Of what the file shows. */
export function catchAllNotes(document: OperatorDocument): Fault[] {
  const domains = document.tenants.flatMap((tenant) => tenant.domains);
  // Of a domain with another catch-all that one takes it, and is told if it does not.
  const closed = new Map(
    domains.flatMap(({ name, catchAll, validateRecipients }) =>
      validateRecipients ? [[canonicalDomain(name) ?? name, canonical(catchAll)] as const] : [],
    ),
  );
  const known = new Set(
    document.tenants.flatMap(({ users, aliases }) => [...users, ...aliases].map(({ address }) => canonical(address))),
  );
  return catchAlls(document).flatMap(({ path, name, address }) => {
    const domain = domainOf(address);
    const localPart = address.slice(0, -domain.length - 1);
    const plain = `${localPart.replace(/\+.*$/, '')}@${domain}`;
    const isTaken = !closed.has(domain) || ![undefined, address].includes(closed.get(domain));
    if (isTaken || roleLocalParts.has(localPart) || known.has(address) || known.has(plain)) return [];
    return [
      { path, message: `${address}: ${domain} has no such user or alias in this file; until it has, ${effect(name)}` },
    ];
  });
}

/** The same by the database, when the tenants of the file are in it. */
export async function emptyCatchAlls(tx: Transaction, document: OperatorDocument): Promise<string[]> {
  const notes: string[] = [];
  for (const { path, name, address } of catchAlls(document)) {
    if (notes.length >= mostNotes) break;
    for (const told of await emptyTargets(tx, effect(name), [address])) notes.push(`${pathText(path)}: ${told}`);
  }
  return notes;
}
