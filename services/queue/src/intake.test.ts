/** What comes back from SPOOL may be in WORK already, and a NATS server that was started again no longer knows its id: delivery is told to look first. */

import { createBodyStore } from '@postern/body-store';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  connectStreams,
  consume,
  createPublisher,
  type Delivery,
  ensureStreams,
  intakeConsumer,
  spooledEnvelopes,
  spoolMessage,
  spoolSubject,
  workConsumer,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { createIntake, type Intake } from './intake.js';
import { createLaneWindows } from './lanes.js';
import type { Park } from './park.js';
import { createPlacer } from './placer.js';
import { compilePolicy } from './policy-in-use.js';
import { createRenewal } from './renewal.js';
import { createLevelReader } from './stream-levels.js';
import { createTakeApart } from './take-apart.js';
import { envelope, testSnapshot } from './testing/messages.js';

const nats = withNats();

/** Intake over real streams, and what arrives in WORK: queue id to mark. */
async function stage(
  onBatch: (intake: Intake, message: Delivery) => Promise<void>,
  park: Park = () => Promise.resolve(),
) {
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
    park,
    takeApart: createTakeApart(publisher),
    policy: () => policy,
    relay: () => undefined,
    quarantineKeepMs: 0,
    observer: { placed: () => undefined, stalled: () => undefined },
  });
  const options = { maxInFlight: 10, maxBatch: 1, onError: () => undefined };
  const spool = consume(connection, systemClock, intakeConsumer, options, async (batch) => {
    for (const message of batch) await onBatch(intake, message);
  });
  const marks = new Map<string, string>();
  const work = consume(connection, systemClock, workConsumer('default'), options, async (batch) => {
    for (const message of batch) {
      marks.set(Item.decode(message.data).queueId, message.header('Postern-Again'));
      message.ack();
    }
  });
  const close = async (): Promise<void> => {
    renewal.stop();
    await Promise.all([spool.stop(), work.stop()]);
    await connection.close();
  };
  return { connection, publisher, marks, close };
}

const bytesOf = (message: Envelope): Uint8Array => Envelope.encode(message).finish();

test('an item of a message that was handed out or stored before is marked, one of a new message is not', async () => {
  const again = envelope(['bob@acme.test']);
  const fresh = envelope(['bob@acme.test']);
  const repeated = envelope(['bob@acme.test']);
  const { publisher, marks, close } = await stage(async (intake, message) => {
    const { queueId } = Envelope.decode(message.data);
    // As when the pod that had it was killed.
    if (queueId === again.queueId && message.deliveryCount === 1) message.nak();
    else await intake.handle([message]);
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
  await close();
});

test('every mail of a batch is placed, one that cannot be read is parked alone, and the batch is gone', async () => {
  const parked: (number | undefined)[] = [];
  const { connection, publisher, marks, close } = await stage(
    (intake, message) => intake.handle([message]),
    async (message) => {
      parked.push(message.part);
      message.ack();
    },
  );
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), Buffer.from([0x0a, 0xff]), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect([...marks.keys()].sort()).toEqual([one.queueId, two.queueId].sort()), {
    timeout: 10_000,
  });
  expect([...marks.values()]).toEqual(['', '']);
  expect(parked).toEqual([1]);
  const levels = await createLevelReader(connection);
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
  await close();
});

test('a batch that keeps coming back is put back as its single mails, marked', async () => {
  let whole = 0;
  const { connection, publisher, marks, close } = await stage(async (intake, message) => {
    // As when one of them ends every process that works on the batch.
    if (spooledEnvelopes(message).length > 1 && message.deliveryCount <= 2) {
      whole++;
      message.nak();
    } else await intake.handle([message]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(2), { timeout: 10_000 });
  expect(whole).toBe(2);
  expect([...marks.values()]).toEqual(['queue', 'queue']);
  const levels = await createLevelReader(connection);
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
  await close();
});
