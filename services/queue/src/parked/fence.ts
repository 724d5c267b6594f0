/**
 * May what is parked still go on? An item whose attempt is recorded, or whose recipients have ended, may not: it would be delivered twice. An envelope
 * may unless its recipients are in the ledger: then all of it was placed before it was parked.
 */
import type { Item } from '@postern/proto/mail/v1/item';
import type { Statement, Transaction } from '../store/database.js';
import { lockRecipients, unitKey } from '../store/recipients.js';

const taken: Statement = {
  name: 'parked-taken',
  text: `SELECT 1 FROM mail.recipients WHERE queue_id = $1 AND unit_kind IS NOT NULL LIMIT 1`,
};

export async function wasPlaced(transaction: Transaction, queueId: string): Promise<boolean> {
  return (await transaction.query(taken, [queueId])).length > 0;
}

export interface OpenAddresses {
  /** Neither this attempt nor an end is recorded. */
  readonly open: ReadonlySet<string>;
  /** Those of them of which nothing is recorded: what made them is on its way, or they are forged. */
  readonly unknown: ReadonlySet<string>;
}

/** Recipients of the item that have not ended; their units stay locked. */
export async function openAddresses(transaction: Transaction, item: Item): Promise<OpenAddresses> {
  const { queueId, attempt, recipients } = item;
  const units = await lockRecipients(
    transaction,
    recipients.map(({ address }) => ({ queueId, recipient: address })),
  );
  const open = new Set<string>();
  const unknown = new Set<string>();
  for (const { address } of recipients) {
    const unit = units.get(unitKey(queueId, address));
    if (unit === undefined) unknown.add(address);
    if (unit === undefined || (unit.state === 'open' && unit.attempts < attempt)) open.add(address);
  }
  return { open, unknown };
}
