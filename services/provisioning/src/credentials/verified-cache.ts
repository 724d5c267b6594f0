/**
 * Remembers for a moment that a password was right for a stored verifier, under an HMAC with a key of this process: a busy login costs one
 * hash a minute. The stored verifier is part of the key, so a new password makes the memory worthless. Bounded; only right ones are kept.
 */
import { createHmac } from 'node:crypto';
import type { Clock, Random } from '@postern/clock';

export interface VerifiedCache {
  keyOf(verifier: string, password: string): string;
  has(key: string): boolean;
  add(key: string): void;
}

const most = 10_000;

export function createVerifiedCache(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly forMs: number;
}): VerifiedCache {
  const { clock, forMs } = options;
  const secret = options.random.bytes(32);
  const until = new Map<string, number>();
  return {
    keyOf: (verifier, password) => createHmac('sha256', secret).update(`${verifier}\0${password}`).digest('base64'),
    has(key) {
      const end = until.get(key);
      if (end === undefined) return false;
      if (end > clock.monotonic()) return true;
      until.delete(key);
      return false;
    },
    add(key) {
      if (forMs <= 0) return;
      until.delete(key);
      until.set(key, clock.monotonic() + forMs);
      // Oldest first: insertion order is the order of expiry.
      const [oldest] = until.keys();
      if (until.size > most && oldest !== undefined) until.delete(oldest);
    },
  };
}
