/**
 * A message that carries several of what its stream usually carries one of, with the header `Postern-Batch`: what a durable write costs is paid once for all
 * of them (ADR 10, ADR 14). Whoever takes such a message works on its parts one by one; it is acknowledged when every part is, and comes back whole when
 * one is given back. Invariant: nothing is acknowledged before its last part.
 */
import type { Delivery } from './consume.js';

export const batchHeader = 'Postern-Batch';
/** Parts of one message at most. */
export const batchParts = 64;

export interface BatchMessage {
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Sequence and time of the message of SPOOL that was left in WORK, on what was left. */
export const spooledHeader = 'Postern-Spooled';

/** Headers that a copy of a message must have to be read as it was. */
export function batchHeaders(message: Pick<Delivery, 'header'>): Readonly<Record<string, string>> {
  const said = [batchHeader, spooledHeader].map((name) => [name, message.header(name)] as const);
  return Object.fromEntries(said.filter(([, value]) => value !== ''));
}

/** How many parts a message says it has, 1 to 64. */
export function saidParts(message: Pick<Delivery, 'header'>): number {
  const said = Number(message.header(batchHeader) || 1);
  return Number.isInteger(said) && said >= 1 && said <= batchParts ? said : 1;
}

/** The parts of a message; what cannot be read as a batch is one, for its reader to refuse. */
export function readParts(
  message: Pick<Delivery, 'data' | 'header'>,
  decode: (data: Uint8Array) => readonly Uint8Array[],
): readonly Uint8Array[] {
  if (message.header(batchHeader) === '') return [message.data];
  try {
    const parts = decode(message.data);
    return parts.length > 0 && parts.length <= batchParts ? parts : [message.data];
  } catch {
    return [message.data];
  }
}

/** Its parts, each to be acknowledged or given back by itself. */
export function settledTogether(message: Delivery, parts: readonly Uint8Array[]): readonly Delivery[] {
  if (parts.length === 1 && parts[0] === message.data) return [message];
  let open = parts.length;
  let givenBack = false;
  return parts.map((data, part): Delivery => {
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
