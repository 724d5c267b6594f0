/**
 * Ends what has waited too long: closed as `expired`, with a DSN where one may be sent (RFC 5321 §4.5.4.1). Quarantined and held mail expires
 * silently: nobody was promised its delivery. Rows whose attempt is out are left to the attempt's outcome.
 */
import type { Clock } from '@postern/clock';
import { Notify } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import type { Settled } from './settle.js';
import type { Database, Transaction } from './store/database.js';
import { type TakenRow, takeOverdue } from './store/rows.js';

export interface ExpiryParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly settle: (transaction: Transaction, outcomes: readonly Outcome[]) => Promise<Settled>;
  readonly onSettled: (outcomes: readonly Outcome[], settled: Settled) => void;
}

const batch = 200;

export function expiryRound(parts: ExpiryParts): () => Promise<boolean> {
  return async () => {
    const nowMs = parts.clock.now();
    const { outcomes, settled } = await parts.database.service(async (transaction) => {
      const rows = await takeOverdue(transaction, nowMs, batch);
      const made = rows.map((row) =>
        closeRow(row, OutcomeKind.EXPIRED, nowMs, expiredText(row), '4.4.7', isSilent(row)),
      );
      return { outcomes: made, settled: made.length === 0 ? undefined : await parts.settle(transaction, made) };
    });
    if (settled !== undefined) parts.onSettled(outcomes, settled);
    return outcomes.length >= batch;
  };
}

const isSilent = ({ state }: TakenRow): boolean => state === 'quarantined' || state === 'held';

const expiredText = ({ lastReply }: TakenRow): string =>
  lastReply === '' ? 'delivery time expired' : `delivery time expired, last: ${lastReply}`;

/** The outcome that closes one row; silent ones ask for no report. */
export function closeRow(
  row: TakenRow,
  kind: OutcomeKind,
  atMs: number,
  replyText: string,
  enhancedCode: string,
  silent: boolean,
): Outcome {
  const recipients = row.item.recipients.map((recipient) =>
    silent ? { ...recipient, notify: [Notify.NEVER] } : recipient,
  );
  const item: Item = { ...row.item, recipients, body: { place: { $case: 'bodyId', value: row.bodyId } } };
  return Outcome.fromPartial({
    kind,
    queueId: row.queueId,
    tenant: row.tenant,
    attempt: row.attempt,
    atMs,
    recipients: [{ address: row.recipient, enhancedCode, replyText }],
    item,
  });
}
