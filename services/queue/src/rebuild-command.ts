/** `main.js rebuild --config FILE`: connects like the service, rebuilds once, says what it did, ends. Safe beside running pods. */
import { createBodyStore } from '@postern/body-store';
import { systemClock, systemRandom } from '@postern/clock';
import { PosternError } from '@postern/errors';
import { openBucket, watchSnapshot } from '@postern/stream';
import type { QueueConfig } from './config.js';
import { connectDatabase, connectNats, type QueueTelemetry } from './connect.js';
import { compilePolicy, type PolicyInUse } from './policy-in-use.js';
import { type Rebuilt, rebuild } from './rebuild.js';
import { settle } from './settle.js';
import { migrate } from './store/migrate.js';
import { foldOutcomes } from './unit-change.js';
import { createWorkScanner } from './work-scan.js';

const snapshotWaitMs = 10_000;

export async function runRebuild(config: QueueConfig, telemetry: QueueTelemetry): Promise<Rebuilt> {
  const connection = await connectNats(config.nats, telemetry.log);
  const database = await connectDatabase(config.database, telemetry.log);
  const found = Promise.withResolvers<PolicyInUse>();
  const watch = watchSnapshot(await openBucket(connection, systemClock, 'CONFIG'), {
    onSnapshot: (snapshot) => found.resolve(compilePolicy(snapshot)),
    onRefused: (reason) => telemetry.log.error('queue.snapshot.refused', { reason }),
  });
  const timer = systemClock.setTimer(snapshotWaitMs, () =>
    found.reject(new PosternError('failed-precondition', 'no snapshot in CONFIG: start provisioning first')),
  );
  try {
    const policy = await found.promise;
    await migrate(database);
    const rebuilt = await rebuild({
      clock: systemClock,
      database,
      bodies: await createBodyStore(connection, systemClock),
      scan: await createWorkScanner(connection),
      policy,
      quarantineKeepMs: config.queue.quarantineKeep,
      settle: (transaction, outcomes) => {
        const folded = foldOutcomes(outcomes);
        if (!folded.ok) throw new RangeError(folded.reason);
        const options = { schedule: policy.schedule, shard: 0, random: () => systemRandom.float(), withBodies: true };
        return settle(transaction, outcomes, folded.changes, options);
      },
    });
    telemetry.log.info('queue.rows.rebuilt', { ...rebuilt });
    return rebuilt;
  } finally {
    timer.cancel();
    watch.stop();
    await database.close();
    await connection.close();
    await telemetry.shutdown();
  }
}
