/**
 * The edge's SMTP front as a process of its own for the bench: real access rules and real limits in the Redis named first, everything taken by policy, messages
 * thrown away. No part of the product starts it. Prints its port; ends on SIGTERM.
 */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { ConnectionLimiter, RedisLimitStore } from '@postern/flow-control';
import { createAdmission } from '../admission.js';
import type { Spool } from '../spool.js';
import { acceptAll, Doubles } from './doubles.js';

const [, , redisUrl = 'redis://127.0.0.1:6379'] = process.argv;

const discarding: Spool = {
  open: () => {
    let first: Buffer = Buffer.alloc(0);
    let size = 0;
    return {
      isLarge: false,
      write: (content) => {
        if (size === 0) first = content;
        size += content.length;
        return undefined;
      },
      head: () => first,
      commit: () => Promise.resolve({ kind: 'stored' }),
      abort: () => undefined,
    };
  },
};

class AcceptOnly extends Doubles {
  override services(...settings: Parameters<Doubles['services']>): ReturnType<Doubles['services']> {
    const services = super.services(...settings);
    return {
      ...services,
      clock: systemClock,
      spool: discarding,
      journal: { record: () => undefined },
      policy: { ...services.policy, evaluate: (request) => Promise.resolve(acceptAll(request)), end: () => undefined },
    };
  }
}

const front = new AcceptOnly();
front.setSnapshot({
  limits: { connections: 100_000, connectionsPerIp: 100_000, connectionRate: 10_000_000, intervalMs: 60_000 },
});
const store = new RedisLimitStore({ url: redisUrl });
const limiter = new ConnectionLimiter({
  store,
  clock: systemClock,
  service: 'smtp',
  incarnation: createUlidSource(systemClock, systemRandom)(),
});
await store.ready(2_000);
await limiter.start();
front.admit = createAdmission({
  limiter,
  snapshot: () => front.snapshot,
  abuse: { banned: () => undefined },
  isDraining: () => false,
  overload: () => undefined,
  onDecided: () => undefined,
});
const listener = await front.listen();
process.stdout.write(`${listener.port}\n`);
process.on('SIGTERM', () => process.exit(0));
