/** Makes a failpoint be reached that mail alone does not reach; whatever is done here is undone before it returns. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ackWaitMs } from '@postern/stream';
import type { Cluster } from '../cluster/cluster.js';
import { closeStream } from '../cluster/stream-room.js';
import { asService } from '../fuzz/cluster-files.js';

let users = 0;

/** Longer than queue waits for room before it puts mail of a batch back by itself. */
const partWaitsMs = 15_000;
/** Some batches of SPOOL wait for room by then. */
const batchesWaitMs = 3_000;
/** Longer than what found no room in WORK takes to be tried again. */
const leftAgainMs = 4_000;
/** What cannot be acknowledged comes a third time. */
const thirdTimeMs = 2 * ackWaitMs + 5_000;
/** What a delivery that was killed had in work comes again, and is acknowledged. */
const settledMs = 2 * ackWaitMs;

export async function provoke(cluster: Cluster, failpoint: string): Promise<void> {
  // Configuration changes, so that provisioning has something to do; mail flows anyway.
  if (failpoint.startsWith('provisioning.')) await cluster.ctl('user', 'add', `new${users++}@chaos.test`, '--no-login');
  if (failpoint === 'queue.after-put-back') await withoutRoom(cluster, 'BODIES', () => sleep(partWaitsMs));
  if (failpoint === 'queue.after-leave') {
    // What waits is given back by a queue that stops, and left by the next one.
    await withoutRoom(cluster, 'WORK', () => restartQueue(cluster));
    await sleep(leftAgainMs);
  }
  if (failpoint === 'delivery.after-put-back') {
    // What earlier strikes gave back would come too often, and be parked; so would what this one did.
    await nothingAgain(cluster);
    await withoutRoom(cluster, 'OUTCOMES', () => sleep(thirdTimeMs));
    await nothingAgain(cluster);
  }
}

async function withoutRoom(cluster: Cluster, stream: string, work: () => Promise<void>): Promise<void> {
  const connection = await asService(cluster, 'provisioning');
  try {
    const closed = await closeStream(connection, stream);
    try {
      await work();
    } finally {
      await closed.open(connection);
    }
  } finally {
    await connection.close();
  }
}

async function restartQueue(cluster: Cluster): Promise<void> {
  await sleep(batchesWaitMs);
  // It may have been hit at this moment.
  const pid = await cluster.signal('queue', 'SIGTERM').catch(() => undefined);
  if (pid !== undefined) await cluster.waitReplaced('queue', pid);
}

/** Until WORK has nothing out that was out before. */
async function nothingAgain(cluster: Cluster): Promise<void> {
  await sleep(ackWaitMs);
  const connection = await asService(cluster, 'queue');
  try {
    for (const end = Date.now() + settledMs; Date.now() < end; await sleep(1_000)) {
      const answer = await connection.nats.request('$JS.API.CONSUMER.INFO.WORK.pool-default');
      const info: { readonly num_redelivered?: number } = answer.json();
      if (info.num_redelivered === 0) return;
    }
  } finally {
    await connection.close();
  }
}
