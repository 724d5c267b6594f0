/** A message of SPOOL with several envelopes: its parts settle it together; what cannot be read is one message for its reader to refuse. */
import { SpoolBatch } from '@postern/proto/mail/v1/envelope';
import { describe, expect, test } from 'vitest';
import type { Delivery } from './consume.js';
import { spoolBatchEnvelopes, spooledEnvelopes, spoolMessage, spoolParts } from './spool-batch.js';

function delivered(texts: readonly [string, ...string[]]) {
  const [first, ...others] = texts;
  const { data, headers } = spoolMessage([Buffer.from(first), ...others.map((text) => Buffer.from(text))]);
  const seen: string[] = [];
  const message: Delivery = {
    ...{ subject: 'spool.1', data, sequence: 7, deliveryCount: 1, pending: 0, storedAtMs: 0 },
    header: (name) => headers[name] ?? '',
    ack: () => void seen.push('ack'),
    ackConfirmed: () => Promise.resolve(seen.push('confirmed') > 0),
    nak: () => void seen.push('nak'),
    working: () => undefined,
  };
  return { message, seen, parts: spoolParts(message) };
}

const textsOf = (envelopes: readonly Uint8Array[]): string[] => envelopes.map((bytes) => Buffer.from(bytes).toString());

describe('parts', () => {
  test('one envelope is a message as it is', () => {
    const { message, parts } = delivered(['one']);
    expect(parts).toEqual([message]);
    expect(textsOf(spooledEnvelopes(message))).toEqual(['one']);
  });

  test('several keep order, place and what the message says', () => {
    const { parts } = delivered(['one', 'two', 'three']);
    expect(parts.map(({ data, part, sequence }) => [Buffer.from(data).toString(), part, sequence])).toEqual([
      ['one', 0, 7],
      ['two', 1, 7],
      ['three', 2, 7],
    ]);
  });

  test('the last acknowledgement acknowledges, and one part counts once', () => {
    const { parts, seen } = delivered(['one', 'two']);
    parts[0]?.ack();
    parts[0]?.ack();
    expect(seen).toEqual([]);
    parts[1]?.ack();
    expect(seen).toEqual(['ack']);
  });

  test('one given back gives the message back, once, and it is never acknowledged', async () => {
    const { parts, seen } = delivered(['one', 'two', 'three']);
    parts[0]?.ack();
    parts[1]?.nak();
    parts[2]?.nak();
    parts[2]?.ack();
    expect(await parts[2]?.ackConfirmed(10)).toBe(false);
    expect(seen).toEqual(['nak']);
  });

  test('a confirmed acknowledgement is asked for by the last part', async () => {
    const { parts, seen } = delivered(['one', 'two']);
    expect(await parts[1]?.ackConfirmed(10)).toBe(false);
    expect(await parts[0]?.ackConfirmed(10)).toBe(true);
    expect(seen).toEqual(['confirmed']);
  });
});

test.each([
  ['garbage', Buffer.from([0x0a, 0xff])],
  ['an empty batch', Buffer.alloc(0)],
  [
    'more than a batch may hold',
    Buffer.from(SpoolBatch.encode({ envelopes: Array(spoolBatchEnvelopes + 1).fill(Buffer.from('x')) }).finish()),
  ],
])('%s is one message for its reader to refuse', (_name, data) => {
  expect(spooledEnvelopes({ data, header: () => '3' })).toEqual([data]);
});
