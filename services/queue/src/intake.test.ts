/** What comes back from SPOOL may be in WORK already, and a NATS server that was started again no longer knows its id: delivery is told to look first. */

import { createBodyStore } from '@postern/body-store';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  connectStreams,
  consume,
  createPublisher,
  ensureStreams,
  intakeConsumer,
  spoolSubject,
  workConsumer,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { createIntake } from './intake.js';
import { createLaneWindows } from './lanes.js';
import { createPlacer } from './placer.js';
import { compilePolicy } from './policy-in-use.js';
import { createRenewal } from './renewal.js';
import { envelope, testSnapshot } from './testing/messages.js';

const nats = withNats();

test('an item of a message that was handed out or stored before is marked, one of a new message is not', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const publisher = createPublisher(connection, systemClock);
  const policy = compilePolicy(testSnapshot());
  const renewal = createRenewal(systemClock);
  const intake = createIntake({
    clock: systemClock,
    placer: createPlacer(publisher, await createBodyStore(connection, systemClock)),
    outcomes: { publish: () => Promise.resolve({ done: true }) },
    windows: createLaneWindows({ size: 100, busyAt: 100 }),
    renewal,
    park: () => Promise.resolve(),
    policy: () => policy,
    relay: () => undefined,
    quarantineKeepMs: 0,
    observer: { placed: () => undefined, stalled: () => undefined },
  });
  const again = envelope(['bob@acme.test']);
  const fresh = envelope(['bob@acme.test']);
  const repeated = envelope(['bob@acme.test']);
  const options = { maxInFlight: 10, maxBatch: 1, onError: () => undefined };
  const spool = consume(connection, systemClock, intakeConsumer, options, async (batch) => {
    for (const message of batch) {
      const { queueId } = Envelope.decode(message.data);
      // As when the pod that had it was killed.
      if (queueId === again.queueId && message.deliveryCount === 1) message.nak();
      else await intake.handle([message]);
    }
  });
  const marks = new Map<string, string>();
  const work = consume(connection, systemClock, workConsumer('default'), options, async (batch) => {
    for (const message of batch) {
      marks.set(Item.decode(message.data).queueId, message.header('Postern-Again'));
      message.ack();
    }
  });
  for (const one of [again, fresh])
    await publisher.publish(spoolSubject(one.queueId), Envelope.encode(one).finish(), { msgId: one.queueId });
  // As the edge does when it has to ask again.
  await publisher.publish(spoolSubject(repeated.queueId), Envelope.encode(repeated).finish(), {
    msgId: repeated.queueId,
    headers: { 'Postern-Again': 'edge' },
  });
  await vi.waitFor(() => expect(marks.size).toBe(3), { timeout: 10_000 });
  expect(marks.get(repeated.queueId)).not.toBe('');
  expect(marks.get(again.queueId)).not.toBe('');
  expect(marks.get(fresh.queueId)).toBe('');
  renewal.stop();
  await Promise.all([spool.stop(), work.stop()]);
  await connection.close();
});
