/** Pods that share one real Redis, each with a limiter that beats fast: for tests of what they admit together. */
import { systemClock } from '@postern/clock';
import { type TestServer, withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { type Admission, ConnectionLimiter, type Lease } from '../connection-limiter.js';
import { RedisLimitStore } from '../limit-store.js';
import type { LimitScope } from '../limits.js';

export const beatMs = 200;
export const ttlMs = 800;

export interface Pod {
  readonly limiter: ConnectionLimiter;
  readonly store: RedisLimitStore;
  readonly incarnation: string;
}

/** Ended after each test, the server emptied before it. */
export class LimiterPods {
  readonly redis: TestServer = withRedis();
  readonly stores: RedisLimitStore[] = [];
  readonly limiters: ConnectionLimiter[] = [];
  /** States all of them went through. */
  readonly states: string[] = [];
  #admin: Redis | undefined;
  #pods = 0;

  constructor() {
    beforeAll(() => {
      this.#admin = new Redis(this.redis.url);
      this.#admin.on('error', () => undefined);
    });
    afterAll(() => this.#admin?.disconnect());
    beforeEach(async () => {
      await this.admin.flushall();
      this.states.length = 0;
    });
    afterEach(async () => {
      for (const limiter of this.limiters.splice(0)) await limiter.stop();
      for (const store of this.stores.splice(0)) await store.close();
    });
  }

  get admin(): Redis {
    if (this.#admin === undefined) throw new Error('the server is started in beforeAll; use it inside a test');
    return this.#admin;
  }

  async start(overrides: { beatMs?: number } = {}): Promise<Pod> {
    const store = new RedisLimitStore({ url: this.redis.url });
    this.#pods += 1;
    const incarnation = `pod-${this.#pods}`;
    const limiter = new ConnectionLimiter({
      store,
      clock: systemClock,
      service: 'smtp',
      incarnation,
      beatMs,
      ttlMs,
      retryMs: 50,
      ...overrides,
      onState: (state) => this.states.push(state.kind),
    });
    this.stores.push(store);
    this.limiters.push(limiter);
    await limiter.start();
    await vi.waitFor(() => expect(limiter.state.kind).toBe('joined'), 5_000);
    return { limiter, store, incarnation };
  }
}

/** The first beat after an empty store is decided by shares; wait until the store itself decides. */
export async function warm(limiter: ConnectionLimiter): Promise<void> {
  const probe: LimitScope = { name: 'probe', limits: { simultaneous: 1_000_000 } };
  await vi.waitFor(
    async () => {
      const admission = await limiter.admit({ address: '192.0.2.250', scopes: [probe] });
      if (admission.kind === 'admitted') admission.lease.release();
      expect(admission).toMatchObject({ kind: 'admitted', decidedBy: 'cluster' });
    },
    { timeout: 5_000, interval: 20 },
  );
}

export const service = (limits: LimitScope['limits']): LimitScope[] => [{ name: 'service', limits }];

export function leases(admissions: readonly Admission[]): Lease[] {
  return admissions.flatMap((admission) => (admission.kind === 'admitted' ? [admission.lease] : []));
}

export async function storm(
  limiter: ConnectionLimiter,
  count: number,
  scopes: LimitScope[],
  spread = 50,
): Promise<Lease[]> {
  const asked = Array.from({ length: count }, (_, i) => limiter.admit({ address: `198.51.100.${i % spread}`, scopes }));
  return leases(await Promise.all(asked));
}

/** Of the first limit of these scopes, over all pods. */
export async function usedOf(limiter: ConnectionLimiter, scopes: LimitScope[]): Promise<number> {
  const [reading] = await limiter.show({ address: '192.0.2.1', scopes });
  return reading?.used ?? -1;
}
