/** A message of SPOOL holds one envelope or, as a batch, the envelopes that one edge pod accepted in the same moments (ADR 10). */
import { SpoolBatch } from '@postern/proto/mail/v1/envelope';
import { asBuffer, type BatchMessage, batchHeader, batchParts, readParts, settledTogether } from './batch.js';
import type { Delivery } from './consume.js';

/** Envelopes of one message of SPOOL at most. */
export const spoolBatchEnvelopes = batchParts;
/** Octets of the envelopes of one message of SPOOL at most, unless it is one alone; far below the limit of a NATS message. */
export const spoolBatchBytes = 256 * 1024;

/** The message that carries these encoded envelopes; at least one. */
export function spoolMessage(envelopes: readonly [Uint8Array, ...Uint8Array[]]): BatchMessage {
  const [first] = envelopes;
  if (envelopes.length === 1) return { data: first, headers: {} };
  return {
    data: SpoolBatch.encode({ envelopes: envelopes.map(asBuffer) }).finish(),
    headers: { [batchHeader]: String(envelopes.length) },
  };
}

/** The encoded envelopes of a message; what cannot be read as a batch is one, for its reader to refuse. */
export const spooledEnvelopes = (message: Pick<Delivery, 'data' | 'header'>): readonly Uint8Array[] =>
  readParts(message, (data) => SpoolBatch.decode(data).envelopes);

/** Its parts, each to be acknowledged or given back by itself. */
export const spoolParts = (message: Delivery): readonly Delivery[] =>
  settledTogether(message, spooledEnvelopes(message));
