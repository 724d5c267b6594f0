/** Addresses that aliases and rules lead to and nobody has: they may be made later, so they are taken and told. */
import type { Transaction } from '../database/tenant-scope.js';
import { roleLocalParts } from '../snapshot/outbox.js';

const mostWarnings = 20;

/** Those in domains the caller may see; a +tag is its user's. `what` happens until then. */
export async function emptyTargets(tx: Transaction, what: string, targets: readonly string[]): Promise<string[]> {
  const found = await tx.rows<{ target: string; domain: string }>(
    `SELECT t.target, d.name AS domain FROM unnest($1::text[]) WITH ORDINALITY AS t (target, place)
     JOIN domains d ON d.name = split_part(t.target, '@', 2)
     CROSS JOIN LATERAL (SELECT split_part(split_part(t.target, '@', 1), '+', 1) || '@' || d.name AS plain) p
     WHERE d.validate_recipients AND d.catch_all IN ('', t.target) AND split_part(t.target, '@', 1) <> ALL ($2)
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.address IN (t.target, p.plain))
       AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.address IN (t.target, p.plain))
     ORDER BY t.place LIMIT $3`,
    [targets, [...roleLocalParts], mostWarnings + 1],
  );
  const told = found
    .slice(0, mostWarnings)
    .map(({ target, domain }) => `${target}: ${domain} has no such user or alias yet; until it has, ${what}`);
  return found.length > mostWarnings ? [...told, 'and further targets nobody has'] : told;
}
