/**
 * Keys of TLS session tickets (RFC 5077 §4) that every pod derives for itself from one mounted file and the time, so a client resumes on whichever
 * pod it meets, and keys change everywhere at once without anybody passing them round (docs/adr/0008). A ticket of the epoch before falls back
 * to a full handshake. A replaced file ends what could be derived from the old one.
 */
import { hkdfSync } from 'node:crypto';

/** How long one key is used. */
export const ticketEpochMs = 6 * 3_600_000;

export const ticketEpoch = (nowMs: number): number => Math.floor(nowMs / ticketEpochMs);

/** 48 octets: key name, MAC key and encryption key, as OpenSSL takes them. */
export const ticketKeys = (seed: Buffer, epoch: number): Buffer =>
  Buffer.from(hkdfSync('sha256', seed, Buffer.alloc(0), `postern edge session tickets ${epoch}`, 48));
