/**
 * A message of WORK holds one item or, as a batch, the items that came of one message of SPOOL (ADR 14). Its Msg-Id is made of that message's first queue id,
 * and so is that of a message of SPOOL that came back and was left in WORK (`work.~back.*`). Invariant: whatever WORK took under that id carries every mail of the
 * message of SPOOL, so whoever hears that WORK has it, as new or as a duplicate, may acknowledge that message.
 */
import { WorkBatch } from '@postern/proto/mail/v1/item';
import { asBuffer, type BatchMessage, batchHeader, readParts, settledTogether } from './batch.js';
import type { Delivery } from './consume.js';

/** Octets of the items of one message of WORK at most; below the limit of a NATS message, 1 MiB. */
export const workBatchBytes = 768 * 1024;

/** Msg-Id in WORK of what takes over a batch of SPOOL. */
export const takeOverId = (firstQueueId: string): string => `batch:${firstQueueId}`;

/** The message that carries these encoded items; undefined = they are too large for one. */
export function workMessage(items: readonly Uint8Array[]): BatchMessage | undefined {
  if (items.reduce((sum, { length }) => sum + length, 0) > workBatchBytes) return undefined;
  return {
    data: WorkBatch.encode({ items: items.map(asBuffer) }).finish(),
    headers: { [batchHeader]: String(items.length) },
  };
}

/** The encoded items of a message; what cannot be read as a batch is one, for its reader to refuse. */
export const workItems = (message: Pick<Delivery, 'data' | 'header'>): readonly Uint8Array[] =>
  readParts(message, (data) => WorkBatch.decode(data).items);

/** Its parts, each to be acknowledged by itself. */
export const workParts = (message: Delivery): readonly Delivery[] => settledTogether(message, workItems(message));
