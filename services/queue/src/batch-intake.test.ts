/** Mails of one message of SPOOL: together in WORK where they can be, left there when the message came back, and each of them recorded. */
import { spooledEnvelopes, spoolMessage, spoolSubject } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { bytesOf, intakeStage, spoolIsEmpty } from './testing/intake-stage.js';
import { envelope } from './testing/messages.js';

const nats = withNats();

test('mails of one message that make one item each go as one message of WORK', async () => {
  const { connection, publisher, marks, recorded, messages, told, close } = await intakeStage(
    nats.url,
    (intake, message) => intake.handle([message]),
  );
  const [one, two, three] = [envelope(['bob@acme.test']), envelope(['carol@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two), bytesOf(three)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(3), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect([...marks.values()]).toEqual(['', '', '']);
  expect(recorded.sort()).toEqual([one, two, three].map(({ queueId }) => queueId).sort());
  expect(messages()).toBe(1);
  expect(told()).toEqual([]);
  await close();
});

test('a batch that came back before it was placed goes as its single mails, marked', async () => {
  const { connection, publisher, marks, recorded, messages, told, counted, close } = await intakeStage(
    nats.url,
    async (intake, message) => {
      // As when the pod that had it was killed before it had placed anything.
      if (spooledEnvelopes(message).length > 1 && message.deliveryCount === 1) message.nak();
      else await intake.handle([message]);
    },
  );
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(2), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect([...marks.values()]).toEqual(['queue', 'queue']);
  expect(recorded.sort()).toEqual([one, two].map(({ queueId }) => queueId).sort());
  expect(messages()).toBe(2);
  expect(told()).toEqual([
    ['queue.batch.left', 2, 'left', undefined],
    ['queue.batch.apart', 2, 'whole', undefined],
  ]);
  expect((await counted()).sort()).toEqual([
    'postern_queue_batches_apart_total{result="whole"} 1',
    'postern_queue_batches_left_total{fate="left"} 1',
  ]);
  await close();
});

test('a batch that came back after it was placed is not placed again, and what it began is recorded', async () => {
  const { connection, publisher, marks, recorded, messages, told, counted, close } = await intakeStage(
    nats.url,
    async (intake, message) => {
      // As when the pod that had it was killed after WORK had taken it.
      if (message.deliveryCount === 1) await intake.handle([{ ...message, ack: () => message.nak() }]);
      else await intake.handle([message]);
    },
  );
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(recorded.length).toBe(4), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect([...marks.values()]).toEqual(['', '']);
  expect(messages()).toBe(1);
  expect(told()).toEqual([['queue.batch.left', 2, 'placed', undefined]]);
  expect(await counted()).toEqual(['postern_queue_batches_left_total{fate="placed"} 1']);
  await close();
});

test('what a batch began is recorded however often it came back while outcomes had no room', async () => {
  const { connection, publisher, recorded, messages, close } = await intakeStage(nats.url, async (intake, message) => {
    if (message.deliveryCount === 1) {
      await intake.handle([{ ...message, ack: () => undefined }]);
      // As when its pod was stopped before there was room for its outcomes; so were two that had it afterwards.
      recorded.length = 0;
    }
    if (message.deliveryCount < 4) message.nak();
    else await intake.handle([message]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await spoolIsEmpty(connection);
  expect(recorded.sort()).toEqual([one, two].map(({ queueId }) => queueId).sort());
  expect(messages()).toBe(1);
  await close();
});

test('a pod that places a batch after another has left it places nothing', async () => {
  const { connection, publisher, marks, messages, close } = await intakeStage(nats.url, async (intake, message) => {
    if (message.deliveryCount === 1) return message.nak();
    await intake.handle([message]);
    // The first pod wakes up with what it was given.
    if (spooledEnvelopes(message).length > 1)
      await intake.handle([{ ...message, deliveryCount: 1, ack: () => undefined }]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(2), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect(messages()).toBe(2);
  await close();
});
