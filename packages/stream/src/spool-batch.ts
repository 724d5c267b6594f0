/**
 * A message of SPOOL holds one envelope, or, with the header `Postern-Batch`, the envelopes that one edge pod accepted in the same moments (ADR 10): what
 * a durable write costs is paid once for all of them. Whoever takes such a message works on its parts one by one; it is acknowledged when every part
 * is, and comes back whole when one is given back. Invariant: nothing is acknowledged before its last part.
 */
import { SpoolBatch } from '@postern/proto/mail/v1/envelope';
import type { Delivery } from './consume.js';

const batchHeader = 'Postern-Batch';

/** Envelopes of one message of SPOOL at most. */
export const spoolBatchEnvelopes = 64;
/** Octets of the envelopes of one message of SPOOL at most, unless it is one alone; far below the limit of a NATS message. */
export const spoolBatchBytes = 256 * 1024;

export interface SpoolMessage {
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The message that carries these encoded envelopes; at least one. */
export function spoolMessage(envelopes: readonly [Uint8Array, ...Uint8Array[]]): SpoolMessage {
  const [first] = envelopes;
  if (envelopes.length === 1) return { data: first, headers: {} };
  return {
    data: SpoolBatch.encode({ envelopes: envelopes.map(asBuffer) }).finish(),
    headers: { [batchHeader]: String(envelopes.length) },
  };
}

/** The encoded envelopes of a message; what cannot be read as a batch is one, for its reader to refuse. */
export function spooledEnvelopes(message: Pick<Delivery, 'data' | 'header'>): readonly Uint8Array[] {
  if (message.header(batchHeader) === '') return [message.data];
  try {
    const { envelopes } = SpoolBatch.decode(message.data);
    return envelopes.length > 0 && envelopes.length <= spoolBatchEnvelopes ? envelopes : [message.data];
  } catch {
    return [message.data];
  }
}

/** Its parts, each to be acknowledged or given back by itself. */
export function spoolParts(message: Delivery): readonly Delivery[] {
  const envelopes = spooledEnvelopes(message);
  if (envelopes.length === 1 && envelopes[0] === message.data) return [message];
  let open = envelopes.length;
  let givenBack = false;
  return envelopes.map((data, part): Delivery => {
    let settled = false;
    /** True when this was the last one and none was given back. */
    const isLast = (): boolean => {
      if (settled) return false;
      settled = true;
      open--;
      return open === 0 && !givenBack;
    };
    return {
      ...message,
      data,
      part,
      ack: () => {
        if (isLast()) message.ack();
      },
      ackConfirmed: (timeoutMs) => (isLast() ? message.ackConfirmed(timeoutMs) : Promise.resolve(false)),
      nak: (delayMs) => {
        if (settled || givenBack) return;
        settled = true;
        givenBack = true;
        message.nak(delayMs);
      },
    };
  });
}
