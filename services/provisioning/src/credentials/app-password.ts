/**
 * App passwords: made by us, so random enough that a keyed digest is all that need be kept (no dictionary reaches 100 bits). Read by people: five groups of four
 * letters and digits without those that look alike. Taken with PLAIN and LOGIN, with or without the dashes.
 */
import type { Random } from '@postern/clock';
import type { Sealer } from '../secrets/seal.js';

/** 31 characters, almost five bits each. */
const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
const groups = 5;
const groupLength = 4;

export function newAppPassword(random: Random): string {
  const limit = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < groups * groupLength) {
    for (const byte of random.bytes(32)) if (byte < limit) text += alphabet[byte % alphabet.length] ?? '';
  }
  return (text.slice(0, groups * groupLength).match(/.{4}/g) ?? []).join('-');
}

/** Undefined for what cannot be one, so that most wrong passwords ask no table. */
export function appPasswordDigest(sealer: Sealer, address: string, password: string): Buffer | undefined {
  const plain = password.replaceAll('-', '').toLowerCase();
  if (plain.length !== groups * groupLength || !/^[a-z2-9]+$/.test(plain)) return undefined;
  return sealer.digest('app-password', `${address}\0${plain}`);
}
