/**
 * Aliases that lead only to each other: their mail would be put off for ever, so the one that closes the ring is refused. A ring with a mailbox, or with an
 * address elsewhere, delivers there; an alias that names itself beside others keeps a copy for a mailbox of that name. Aliases the caller may not see count as addresses elsewhere.
 */
import type { Transaction } from '../database/tenant-scope.js';
import { invalid } from '../request-fields.js';

/** As deep as policy follows. */
const mostHops = 10;

/** To be asked when the alias is written, in its transaction. */
export async function refuseLoop(tx: Transaction, address: string, targets: readonly string[]): Promise<void> {
  if (targets.every((target) => target === address))
    throw invalid(
      'alias.targets',
      address,
      `another target: ${address} would lead to itself alone; a mailbox is made as a user`,
    );
  if (targets.includes(address)) return;
  const reached = await tx.rows<{ address: string; is_end: boolean }>(
    `WITH RECURSIVE walk (address, parent, hops) AS (
       SELECT t, $1::text, 1 FROM unnest($2::text[]) AS t
       UNION
       SELECT t, w.address, w.hops + 1 FROM walk w JOIN aliases a ON a.address = w.address CROSS JOIN LATERAL unnest(a.targets) AS t
       WHERE w.hops < $3 AND w.address <> $1 AND w.address <> w.parent)
     SELECT DISTINCT w.address, w.address = w.parent OR NOT EXISTS (SELECT 1 FROM aliases a WHERE a.address = w.address) AS is_end
     FROM walk w ORDER BY w.address LIMIT 1000`,
    [address, targets, mostHops],
  );
  const closes = reached.some((one) => one.address === address) && !reached.some(({ is_end }) => is_end);
  if (!closes) return;
  const way = reached.map((one) => one.address).filter((one) => one !== address);
  const allowed = `a target that is no alias: ${address} and ${way.slice(0, 5).join(', ')} lead to each other alone, so their mail would have no mailbox`;
  throw invalid('alias.targets', targets.slice(0, 5).join(', '), allowed);
}
