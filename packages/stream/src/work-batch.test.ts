/** A message of WORK with several items, and where in WORK a message of SPOOL is left that came back. */
import { WorkBatch } from '@postern/proto/mail/v1/item';
import { describe, expect, test } from 'vitest';
import { batchHeaders, batchParts, saidParts } from './batch.js';
import type { Delivery } from './consume.js';
import { backConsumer, consumerOfWork, workConsumer } from './streams.js';
import {
  backSubject,
  backSubjects,
  isBackSubject,
  isEgressPoolName,
  spoolSubject,
  spoolSubjectOf,
  workSubject,
} from './subjects.js';
import { workBatchBytes, workItems, workMessage, workParts } from './work-batch.js';

const headed = (headers: Readonly<Record<string, string>>) => ({ header: (name: string) => headers[name] ?? '' });
const saying = (said: string) => headed({ 'Postern-Batch': said });

function made(items: readonly Uint8Array[]) {
  const message = workMessage(items);
  if (message === undefined) throw new Error('too large');
  return message;
}

function delivered(texts: readonly string[]) {
  const { data, headers } = made(texts.map((text) => Buffer.from(text)));
  const seen: string[] = [];
  const message: Delivery = {
    ...{ subject: 'work.default.1', data, sequence: 7, deliveryCount: 2, pending: 0, storedAtMs: 0 },
    ...headed(headers),
    ack: () => void seen.push('ack'),
    ackConfirmed: () => Promise.resolve(true),
    nak: () => void seen.push('nak'),
    working: () => undefined,
  };
  return { message, seen, parts: workParts(message) };
}

describe('items', () => {
  test('keep order, place and what the message says', () => {
    const { parts } = delivered(['one', 'two']);
    expect(parts.map(({ data, part, deliveryCount }) => [Buffer.from(data).toString(), part, deliveryCount])).toEqual([
      ['one', 0, 2],
      ['two', 1, 2],
    ]);
  });

  test('are acknowledged together, after the last', () => {
    const { parts, seen } = delivered(['one', 'two']);
    parts[1]?.ack();
    expect(seen).toEqual([]);
    parts[0]?.ack();
    expect(seen).toEqual(['ack']);
  });

  test('of a message that is no batch are the message itself', () => {
    const { message } = delivered(['one']);
    const single = { ...message, ...headed({}) };
    expect(workParts(single)).toEqual([single]);
  });

  test('one over the limit of a message makes none', () => {
    const half = Buffer.alloc(workBatchBytes / 2);
    expect(workItems({ data: made([half, half]).data, ...saying('2') }).map(({ length }) => length)).toEqual([
      half.length,
      half.length,
    ]);
    expect(workMessage([half, half, Buffer.alloc(1)])).toBeUndefined();
  });

  test('the largest batch fits into a NATS message', () => {
    const each = Buffer.alloc(Math.floor(workBatchBytes / batchParts));
    expect(made(Array(batchParts).fill(each)).data.length).toBeLessThan(1024 * 1024);
  });
});

test.each([
  ['garbage', Buffer.from([0x0a, 0xff])],
  ['an empty batch', Buffer.alloc(0)],
  [
    'more than a batch may hold',
    Buffer.from(WorkBatch.encode({ items: Array(batchParts + 1).fill(Buffer.from('x')) }).finish()),
  ],
])('%s is one message for its reader to refuse', (_name, data) => {
  expect(workItems({ data, ...saying('3') })).toEqual([data]);
});

test.each([
  ['', 1],
  ['1', 1],
  [String(batchParts), batchParts],
  [String(batchParts + 1), 1],
  ['0', 1],
  ['-3', 1],
  ['2.5', 1],
  ['many', 1],
  ['Infinity', 1],
])('a message that says %j counts for %i', (said, parts) => {
  expect(saidParts(saying(said))).toBe(parts);
});

test('a copy of a batch is read as one, a copy of another message is not', () => {
  expect(batchHeaders(headed(made([Buffer.from('a'), Buffer.from('b')]).headers))).toEqual({ 'Postern-Batch': '2' });
  expect(batchHeaders(headed({ 'Postern-Again': 'queue' }))).toEqual({});
});

describe('what was left', () => {
  const spooled = spoolSubject('01HZX');
  const left = backSubject(spooled);

  test('goes back to where it came from, and so does what SPOOL holds', () => {
    expect(spoolSubjectOf(left)).toBe(spooled);
    expect(spoolSubjectOf(spooled)).toBe(spooled);
  });

  test('is on no subject of an egress pool, and no pool can take its name', () => {
    expect(left.startsWith(backSubjects.slice(0, -1))).toBe(true);
    const [, pool = ''] = left.split('.');
    expect(isEgressPoolName(pool)).toBe(false);
    expect(() => workSubject(pool, '01HZX')).toThrow(RangeError);
    expect([left, workSubject('back', '01HZX'), spooled].map(isBackSubject)).toEqual([true, false, false]);
  });

  test('has a consumer of its own, which no pool can have', () => {
    expect(consumerOfWork(left)).toEqual(backConsumer);
    expect(consumerOfWork(workSubject('blue', '01HZX'))).toEqual(workConsumer('blue'));
    for (const pool of ['queue', 'default']) expect(workConsumer(pool).durable).not.toBe(backConsumer.durable);
  });
});
