/** What comes back from SPOOL may be in WORK already, and a NATS server that was started again no longer knows its id: delivery is told to look first. */
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { spoolMessage, spoolSubject } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { createLevelReader } from './stream-levels.js';
import { bytesOf, intakeStage, spoolIsEmpty } from './testing/intake-stage.js';
import { envelope } from './testing/messages.js';

const nats = withNats();

test('an item of a message that was handed out or stored before is marked, one of a new message is not', async () => {
  const again = envelope(['bob@acme.test']);
  const fresh = envelope(['bob@acme.test']);
  const repeated = envelope(['bob@acme.test']);
  const { publisher, marks, close } = await intakeStage(nats.url, async (intake, message) => {
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
  const { connection, publisher, marks, close } = await intakeStage(
    nats.url,
    (intake, message) => intake.handle([message]),
    {
      park: async (message) => {
        parked.push(message.part);
        message.ack();
      },
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
  await spoolIsEmpty(connection);
  await close();
});

test('one mail of a batch that waits for room keeps no other from being recorded, and is put back by itself', async () => {
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  // Fans out: its body goes to BODIES, and nothing of the batch goes together.
  const large = envelope(['bob@acme.test', 'carol@other.test']);
  let room = false;
  const { connection, publisher, marks, waiting, recorded, told, close } = await intakeStage(
    nats.url,
    (intake, message) => intake.handle([message]),
    { hasRoom: (queueId) => room || queueId !== large.queueId },
  );
  const { data, headers } = spoolMessage([bytesOf(large), bytesOf(one), bytesOf(two)]);
  const spooled = await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  if (spooled.kind !== 'stored') throw new Error(spooled.reason);
  await vi.waitFor(() => expect(new Set(recorded)).toEqual(new Set([one.queueId, two.queueId])), { timeout: 10_000 });
  expect(waiting.count).toBe(1);
  const levels = await createLevelReader(connection);
  // The batch is gone, and what was put back is there.
  await vi.waitFor(
    async () => expect(await levels('SPOOL')).toMatchObject({ messages: 1, firstSequence: spooled.sequence + 1 }),
    { timeout: 10_000 },
  );
  expect(marks.has(large.queueId)).toBe(false);
  room = true;
  await vi.waitFor(() => expect(marks.get(large.queueId)).toBe('queue'), { timeout: 10_000 });
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
  expect(waiting.count).toBe(0);
  expect(told()).toEqual([['queue.batch.apart', 3, 'part', 0]]);
  expect(recorded.filter((queueId) => queueId === one.queueId)).toEqual([one.queueId]);
  expect(recorded).toContain(large.queueId);
  await close();
});
