/**
 * Failed logins of one account from all addresses and over all pods. Beyond the limit only addresses it logged in from before may try, so that
 * guessing locks out the guesser and not the owner. What trusted clients fail at is counted apart: a webmail's users lock nobody out elsewhere, and
 * guessing through it is bounded all the same. Accounts are digests in the store. Store away: this pod counts by itself.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '@postern/clock';
import type { LimitStore } from '../limit-store.js';
import { LocalWindows } from '../local-windows.js';
import { NOW, RATES, script } from '../scripts.js';

export interface AttemptLimit {
  /** 0 = no limit. */
  readonly limit: number;
  readonly windowMs: number;
}

const knownMs = 2_592_000_000;
const mostKnown = 32;

/** KEYS failures known; ARGV limit window prefix. Returns {failures, 1 if the prefix is known, ms until there are none}. */
const SEE = script(
  'login_see',
  NOW,
  RATES,
  `
local window = tonumber(ARGV[2])
local failures = rate_used(KEYS[1], tonumber(ARGV[1]), window)
local known = redis.call('ZSCORE', KEYS[2], ARGV[3]) and 1 or 0
return {failures, known, math.max(0, redis.call('PTTL', KEYS[1]) - window)}`,
);

/** KEYS failures; ARGV limit window. Returns {failures}. */
const FAILED = script(
  'login_failed',
  NOW,
  RATES,
  `
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
rate_add(KEYS[1], limit, window, 1)
return {rate_used(KEYS[1], limit, window)}`,
);

/** KEYS failures known; ARGV prefix. */
const SUCCEEDED = script(
  'login_succeeded',
  NOW,
  `
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -${mostKnown + 1})
redis.call('PEXPIRE', KEYS[2], ${knownMs})
return {1}`,
);

export type AttemptOrigin = 'anyone' | 'trusted';

const tagOf = (account: string, origin: AttemptOrigin): string =>
  `{postern:flow:login:${origin === 'trusted' ? 'trusted:' : ''}${createHash('sha256').update(account.toLowerCase()).digest('base64url').slice(0, 22)}}`;

export interface AttemptReading {
  readonly failures: number;
  readonly resetMs: number;
}

export class LoginAttempts {
  readonly #store: LimitStore;
  readonly #clock: Clock;
  readonly #local = new LocalWindows(50_000);

  constructor(store: LimitStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** May this address try this account now? */
  async isOpen(
    account: string,
    prefix: string,
    { limit, windowMs }: AttemptLimit,
    origin: AttemptOrigin,
  ): Promise<boolean> {
    if (limit === 0) return true;
    const tag = tagOf(account, origin);
    try {
      const [failures = 0, known] = await this.#store.run(
        SEE,
        [`${tag}:failed`, `${tag}:known`],
        [limit, windowMs, prefix],
      );
      return failures < limit || known === 1;
    } catch {
      return this.#local.wait(tag, limit, windowMs, 1, this.#clock.monotonic()) === 0;
    }
  }

  /** Failures of the account so far, this one included. */
  async failed(account: string, { limit, windowMs }: AttemptLimit, origin: AttemptOrigin): Promise<number> {
    const tag = tagOf(account, origin);
    const now = this.#clock.monotonic();
    this.#local.add(tag, windowMs, 1, now);
    try {
      const [failures = 1] = await this.#store.run(FAILED, [`${tag}:failed`], [Math.max(1, limit), windowMs]);
      return failures;
    } catch {
      return this.#local.used(tag, windowMs, now);
    }
  }

  /** A failure to write it down costs nothing but an owner's advantage. */
  async succeeded(account: string, prefix: string, origin: AttemptOrigin): Promise<void> {
    const tag = tagOf(account, origin);
    this.#local.forget(tag);
    await this.#store.run(SUCCEEDED, [`${tag}:failed`, `${tag}:known`], [prefix]).catch(() => undefined);
  }

  /** Throws when the store is away. */
  async show(account: string, { limit, windowMs }: AttemptLimit, origin: AttemptOrigin): Promise<AttemptReading> {
    const tag = tagOf(account, origin);
    const [failures = 0, , resetMs = 0] = await this.#store.run(
      SEE,
      [`${tag}:failed`, `${tag}:known`],
      [limit, windowMs, ''],
    );
    return { failures, resetMs };
  }
}
