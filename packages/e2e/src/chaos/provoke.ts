/** Makes a failpoint be reached that mail alone does not reach; whatever is done here is undone before it returns. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.js';
import { closeStream } from '../cluster/stream-room.js';
import { asService } from '../fuzz/cluster-files.js';

let users = 0;

/** Longer than queue waits for room before it puts mail of a batch back by itself. */
const withoutRoomMs = 15_000;

export async function provoke(cluster: Cluster, failpoint: string): Promise<void> {
  // Configuration changes, so that provisioning has something to do; mail flows anyway.
  if (failpoint.startsWith('provisioning.')) await cluster.ctl('user', 'add', `new${users++}@chaos.test`, '--no-login');
  else if (failpoint === 'queue.after-put-back') await withoutRoom(cluster, 'BODIES');
}

async function withoutRoom(cluster: Cluster, stream: string): Promise<void> {
  const connection = await asService(cluster, 'provisioning');
  try {
    const closed = await closeStream(connection, stream);
    await sleep(withoutRoomMs);
    await closed.open(connection);
  } finally {
    await connection.close();
  }
}
