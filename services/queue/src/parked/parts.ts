/** What operations on parked messages work with, and the trace line each of them leaves per recipient. */
import type { BodyStore } from '@postern/body-store';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import type { Publisher } from '@postern/stream';
import type { Settled } from '../settle.js';
import type { Database, Transaction } from '../store/database.js';
import { recordTrace } from '../store/records.js';
import { printable } from '../unit-change.js';
import type { Parked, ParkedUnit } from './message.js';
import type { Shelf } from './shelf.js';

export interface ParkedParts {
  readonly shelf: Shelf;
  readonly database: Database;
  readonly publisher: Publisher;
  readonly bodies: BodyStore;
  readonly lifetimeMs: number;
  /** With bodies: what is parked may be in no table yet. */
  readonly settle: (transaction: Transaction, outcomes: readonly Outcome[]) => Promise<Settled>;
  readonly onSettled: (outcomes: readonly Outcome[], settled: Settled) => void;
}

export interface ParkedOrder {
  readonly id: string;
  readonly reason: string;
  readonly actor: string;
}

export const longestReason = 300;

export function noteParked(
  transaction: Transaction,
  operation: 'retry' | 'delete' | 'bounce',
  order: ParkedOrder,
  { stream, reason, content }: Parked,
  units: readonly ParkedUnit[],
  nowMs: number,
): Promise<void> {
  const mail = content.kind === 'envelope' ? content.envelope : content.kind === 'item' ? content.item : undefined;
  return recordTrace(
    transaction,
    units.map(({ queueId, recipient, tenant }) => ({
      at: nowMs,
      event: 'queue.recipient.operated',
      sessionId: mail?.sessionId ?? '',
      queueId,
      tenant,
      reversePath: mail?.reversePath ?? '',
      recipient,
      reply: '',
      detail: {
        operation,
        actor: printable(order.actor).slice(0, longestReason),
        reason: printable(order.reason).slice(0, longestReason),
        parked_from: stream,
        parked_reason: reason,
      },
    })),
  );
}
