/**
 * Egress pools nobody takes mail of: messages in WORK and no delivery pod that asks for them. Read from the stream and its consumers every few seconds, never
 * on the path of a message. A busy pod has no request open either: a pool counts as unserved when also nothing was handed out between two looks that
 * are far enough apart; while some of its mail is out, longer, since a worker may be at slow destinations with all it can carry.
 */
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { Clock } from '@postern/clock';
import { isBackSubject, isConsumerMissing, type Standing, type StreamConnection, workConsumer } from '@postern/stream';

export interface PoolLevel {
  readonly pool: string;
  /** Messages in WORK now, those in work included; each of one item or several. */
  readonly messages: number;
  readonly isServed: boolean;
}

/** What a consumer says of itself; undefined = there is none. */
export interface PoolConsumer {
  /** Open requests for mail. */
  readonly asking: number;
  /** Handed out and not acknowledged. */
  readonly out: number;
  /** Number of the message handed out last. */
  readonly handed: number;
}

interface Seen {
  readonly handed: number;
  readonly sinceMs: number;
}

const idleMs = 10_000;
const busyMs = 60_000;

/** By one look after the other. */
export class PoolJudge {
  readonly #seen = new Map<string, Seen>();

  isServed(pool: string, messages: number, consumer: PoolConsumer | undefined, nowMs: number): boolean {
    if (messages === 0 || consumer === undefined || consumer.asking > 0) {
      this.#seen.delete(pool);
      return messages === 0 || consumer !== undefined;
    }
    const before = this.#seen.get(pool);
    if (before?.handed !== consumer.handed) {
      this.#seen.set(pool, { handed: consumer.handed, sinceMs: nowMs });
      return true;
    }
    return nowMs - before.sinceMs < (consumer.out > 0 ? busyMs : idleMs);
  }
}

export interface PoolWatch {
  /** Looks now and remembers. */
  look(): Promise<readonly PoolLevel[]>;
  /** Of the last look. */
  unserved(): PoolLevel[];
  standing(): Standing;
}

export async function createPoolWatch(
  connection: StreamConnection,
  clock: Clock,
  declared: () => readonly string[],
): Promise<PoolWatch> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  const judge = new PoolJudge();
  let last: readonly PoolLevel[] = [];
  const unserved = (): PoolLevel[] => last.filter(({ isServed }) => !isServed);
  return {
    async look() {
      const counts = await messagesByPool(manager);
      const pools = [...new Set([...declared(), ...counts.keys()])];
      last = await Promise.all(
        pools.map(async (pool) => {
          const messages = counts.get(pool) ?? 0;
          const consumer = messages === 0 ? undefined : await readConsumer(manager, pool);
          return { pool, messages, isServed: judge.isServed(pool, messages, consumer, clock.now()) };
        }),
      );
      return last;
    },
    unserved,
    standing() {
      const lacking = unserved();
      if (lacking.length === 0) return { state: 'ok' };
      const told = lacking.map(
        ({ pool, messages }) => `${messages} ${messages === 1 ? 'message' : 'messages'} of ${pool}`,
      );
      return { state: 'degraded', detail: `no delivery pod takes what waits in WORK: ${told.join(', ')}` };
    },
  };
}

async function messagesByPool(manager: JetStreamManager): Promise<Map<string, number>> {
  const { state } = await manager.streams.info('WORK', { subjects_filter: 'work.>' });
  const counts = new Map<string, number>();
  for (const [subject, messages] of Object.entries(state.subjects ?? {})) {
    if (isBackSubject(subject)) continue;
    const pool = subject.split('.')[1] ?? '';
    counts.set(pool, (counts.get(pool) ?? 0) + messages);
  }
  return counts;
}

async function readConsumer(manager: JetStreamManager, pool: string): Promise<PoolConsumer | undefined> {
  const { stream, durable } = workConsumer(pool);
  try {
    const info = await manager.consumers.info(stream, durable);
    return { asking: info.num_waiting, out: info.num_ack_pending, handed: info.delivered.consumer_seq };
  } catch (error) {
    if (isConsumerMissing(error)) return undefined;
    throw error;
  }
}
