/** What becomes of a batch that was left, by what SPOOL answers, and that each is told. */
import { type Publisher, type PublishResult, spoolMessage, spoolParts } from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { expect, test } from 'vitest';
import { createBatchObserver } from './batch-observer.js';
import { queueMetrics } from './metrics.js';
import { createTakeApart } from './take-apart.js';

type Answer = PublishResult['kind'];

/** A batch of two that was left, with SPOOL giving these answers in turn. */
function stage(...answers: readonly Answer[]) {
  const asked: string[] = [];
  const publisher: Publisher = {
    publish(subject) {
      const kind = answers[asked.push(subject) - 1] ?? 'stored';
      return Promise.resolve(kind === 'stored' ? { kind, sequence: 1, duplicate: false } : { kind, reason: kind });
    },
  };
  const telemetry = captureTelemetry('queue');
  const observer = createBatchObserver(queueMetrics(telemetry.metrics), telemetry.log);
  const settled: string[] = [];
  const { data, headers } = spoolMessage([Buffer.from('one'), Buffer.from('two')]);
  const message = {
    ...{ subject: 'work.~back.7', data, sequence: 3, deliveryCount: 1, pending: 0, storedAtMs: 99 },
    header: (name: string) => headers[name] ?? '',
    ack: () => void settled.push('ack'),
    ackConfirmed: () => Promise.resolve(true),
    nak: (delayMs?: number) => void settled.push(`nak ${delayMs}`),
    working: () => undefined,
  };
  const told = () =>
    telemetry.lines.map(({ event, level, mails, result, part }) => [event, level, mails, result, part]);
  const counted = async () => (await telemetry.metrics.text()).match(/^postern_queue_batches_apart_total.*[1-9]$/gm);
  return { asked, settled, message, told, counted, takeApart: createTakeApart(publisher, observer) };
}

test.each<
  [string, readonly [Answer, Answer], readonly string[], string, string, string | undefined, readonly string[]]
>([
  ['it takes both', ['stored', 'stored'], [], 'whole', 'queue.batch.apart', 'whole', ['ack']],
  ['it has no room for one', ['stored', 'refused'], ['two'], 'no_room', 'queue.batch.apart', 'no_room', []],
  ['it has no answer for one', ['unknown', 'stored'], [], 'no_answer', 'queue.batch.returned', undefined, ['nak 2000']],
  [
    'it has no room and no answer',
    ['unknown', 'refused'],
    [],
    'no_answer',
    'queue.batch.returned',
    undefined,
    ['nak 2000'],
  ],
])('of SPOOL: %s', async (_what, answers, left, label, event, result, settledAs) => {
  const { asked, settled, message, told, counted, takeApart } = stage(...answers);
  const rest = await takeApart.whole(message, spoolParts(message));
  expect(rest.map(({ data }) => Buffer.from(data).toString())).toEqual(left);
  expect(asked).toEqual(['spool.7', 'spool.7']);
  expect(settled).toEqual(settledAs);
  expect(told()).toEqual([[event, 'warn', 2, result, undefined]]);
  expect(await counted()).toEqual([`postern_queue_batches_apart_total{result="${label}"} 1`]);
});

test('one mail that is put back is told with its place, one that cannot be is not', async () => {
  const { settled, message, told, counted, takeApart } = stage('refused', 'stored');
  const [, two] = spoolParts(message);
  if (two === undefined) throw new Error('no parts');
  expect(await takeApart.part(two)).toBe(false);
  expect(told()).toEqual([]);
  expect(await takeApart.part(two)).toBe(true);
  expect(settled).toEqual([]);
  expect(told()).toEqual([['queue.batch.apart', 'warn', 2, 'part', 1]]);
  expect(await counted()).toEqual(['postern_queue_batches_apart_total{result="part"} 1']);
});
