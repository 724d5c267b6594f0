/**
 * One publisher at a time: whoever holds an advisory lock on its own database session. The session also listens for changes. When it
 * breaks, the lock is gone and so is the right to publish; another pod, or this one, takes it up again.
 */
import type { Clock } from '@postern/clock';
import { Client } from 'pg';
import { clientOptions, type DatabaseTarget } from '../database/pool.js';
import { outboxChannel } from './outbox.js';

export interface Lease {
  /** Aborted when the lock is lost or the service stops. */
  readonly lost: AbortSignal;
  /** Called at every notification of the outbox. */
  onChange(wake: () => void): void;
}

const retryMs = 1_000;
const lockName = 'postern.config.outbox';

export interface Campaign {
  stop(): Promise<void>;
}

export function campaign(
  target: DatabaseTarget,
  clock: Clock,
  work: (lease: Lease) => Promise<void>,
  onError: (error: unknown) => void,
): Campaign {
  const stopping = new AbortController();
  const rounds = (async () => {
    while (!stopping.signal.aborted) {
      await hold(target, clock, stopping.signal, work).catch(onError);
      await clock.sleep(retryMs, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await rounds;
    },
  };
}

async function hold(
  target: DatabaseTarget,
  clock: Clock,
  stop: AbortSignal,
  work: (lease: Lease) => Promise<void>,
): Promise<void> {
  const client = new Client({ ...clientOptions(target), application_name: 'postern-provisioning-outbox' });
  const lost = new AbortController();
  const end = (): void => lost.abort();
  client.on('error', end);
  client.on('end', end);
  stop.addEventListener('abort', end, { once: true });
  try {
    await client.connect();
    while (!lost.signal.aborted) {
      const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock(hashtext($1)) AS held', [
        lockName,
      ]);
      if (rows[0]?.held === true) break;
      await clock.sleep(retryMs, lost.signal).catch(() => undefined);
    }
    if (lost.signal.aborted) return;
    await client.query(`LISTEN ${outboxChannel}`);
    await work({ lost: lost.signal, onChange: (wake) => void client.on('notification', wake) });
  } finally {
    stop.removeEventListener('abort', end);
    await client.end().catch(() => undefined);
  }
}
