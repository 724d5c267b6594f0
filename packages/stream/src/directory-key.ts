/**
 * Keys of the bucket DIRECTORY. An address becomes a hash, so that no address is a subject token; the entry repeats the address, which
 * guards against a collision. Canonical form: lower case; the local part is compared without case here (RFC 5321 §2.4 leaves it to the host).
 */
import { hash } from 'node:crypto';

/** Key of the projection's state. */
export const directoryEpochKey = 'd.epoch';

/** `address` must be canonical: lower case, domain as A-label. */
export const directoryKey = (address: string): string => `r.${hash('sha256', address, 'hex').slice(0, 32)}`;

/** `user+tag@domain` without its tag; undefined when there is none. */
export function withoutTag(address: string): string | undefined {
  const at = address.lastIndexOf('@');
  const plus = address.indexOf('+');
  return plus > 0 && plus < at ? address.slice(0, plus) + address.slice(at) : undefined;
}
