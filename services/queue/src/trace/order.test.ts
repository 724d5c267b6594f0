/** Steps as they happened, whatever the clocks of the services and the order of their batches say. */
import { TraceEvent } from '@postern/proto/mail/v1/trace';
import { expect, test } from 'vitest';
import { inOrder, withAcceptance } from './order.js';

const step = (event: string, atMs: number): TraceEvent => TraceEvent.fromPartial({ event, atMs });
const shown = (steps: readonly TraceEvent[]): string[] => inOrder(steps).map(({ event, atMs }) => `${atMs} ${event}`);

test.each<[string, readonly TraceEvent[], readonly string[]]>([
  [
    'the edge hears of the acknowledgement after queue has begun',
    [step('queue.recipient.deferred', 108), step('edge.message.accepted', 113)],
    ['108 edge.message.accepted', '108 queue.message.accepted', '108 queue.recipient.deferred'],
  ],
  [
    'the edge hears of it first',
    [step('edge.message.accepted', 105), step('queue.recipient.deferred', 108)],
    ['105 edge.message.accepted', '105 queue.message.accepted', '108 queue.recipient.deferred'],
  ],
  [
    'queue has a clock that is behind',
    [step('edge.message.accepted', 105), step('queue.recipient.deferred', 20)],
    ['20 queue.recipient.deferred', '100 edge.message.accepted', '100 queue.message.accepted'],
  ],
  ['nothing else is known', [], ['100 queue.message.accepted']],
  [
    'the edge told nothing',
    [step('queue.recipient.held', 101)],
    ['100 queue.message.accepted', '101 queue.recipient.held'],
  ],
])('%s', (_, others, expected) => {
  expect(shown(withAcceptance(step('queue.message.accepted', 100), others))).toEqual(expected);
});

test('a step told twice is shown once', () => {
  expect(shown([step('edge.recipient.rejected', 1), step('edge.recipient.rejected', 1)])).toHaveLength(1);
});
