/** A body that only a parked message names outlives the sweep as long as the message is parked. */
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { parkedSubject } from '@postern/stream';
import { expect, test } from 'vitest';
import { createSweep } from '../sweep.js';
import { withQueue } from '../testing/ground.js';
import { envelope, newQueueId } from '../testing/messages.js';
import { ulidFloor } from '../ulid-time.js';

const queue = withQueue();

test('the sweep takes what nothing names, and what was parked only after it is dropped', async () => {
  const { ground } = queue;
  const old = ulidFloor(systemClock.now() - 86_400_000).slice(0, 25);
  const [parked, unnamed] = [`${old}1`, `${old}2`];
  for (const id of [parked, unnamed]) await ground.bodies.put(id, Buffer.from('Subject: x\r\n\r\n'), Buffer.from('x'));
  const message = envelope(['ann@acme.test'], {
    queueId: parked,
    body: { place: { $case: 'bodyId', value: parked } },
  });
  await ground.publisher.publish(parkedSubject('spool'), Envelope.encode(message).finish(), { msgId: newQueueId() });
  const { shelf } = ground.engine.parkedParts();
  const sweep = createSweep({
    clock: { ...systemClock, now: () => systemClock.now() + 3_600_000 },
    database: ground.database,
    bodies: ground.bodies,
    levels: ground.levels,
    parkedBodies: () => shelf.bodies(),
    unfinishedMs: 60_000,
    unknownMs: 60_000,
    onRemoved: () => undefined,
  });
  const twoLooks = async () => {
    await sweep();
    await sweep();
    return Promise.all([parked, unnamed].map(async (id) => (await ground.bodies.stat(id)) !== undefined));
  };
  expect(await twoLooks()).toEqual([true, false]);
  const { found } = await shelf.page('*', 0, 10);
  for (const one of found) await shelf.remove(one);
  expect(await twoLooks()).toEqual([false, false]);
});
