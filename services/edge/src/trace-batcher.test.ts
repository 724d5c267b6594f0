import { FakeClock } from '@postern/clock';
import { TraceBatch, TraceEvent } from '@postern/proto/mail/v1/trace';
import { describe, expect, it } from 'vitest';
import { createTraceBatcher } from './trace-batcher.js';

function setUp(isUp = true) {
  const clock = new FakeClock();
  const stream = { up: isUp };
  const batches: TraceBatch[] = [];
  let dropped = 0;
  const batcher = createTraceBatcher({
    clock,
    send: (bytes) => {
      const isUp = stream.up;
      if (isUp) batches.push(TraceBatch.decode(bytes));
      return isUp;
    },
    onDropped: (count) => (dropped += count),
  });
  return { clock, batches, batcher, stream, dropped: () => dropped };
}

const event = (name: string, detail = '') => TraceEvent.fromPartial({ event: name, detail: { detail } });

describe('trace batcher', () => {
  it('gathers for a moment and keeps the order', () => {
    const { clock, batches, batcher } = setUp();
    batcher.add(event('a'));
    batcher.add(event('b'));
    expect(batches).toHaveLength(0);
    clock.advanceSync(200);
    expect(batches.map(({ events }) => events.map(({ event: name }) => name))).toEqual([['a', 'b']]);
  });

  it('sends a full batch at once and splits one that is too large to send', () => {
    const { clock, batches, batcher } = setUp();
    for (let index = 0; index < 500; index++) batcher.add(event(String(index)));
    expect(batches).toHaveLength(1);
    for (let index = 0; index < 100; index++) batcher.add(event(String(index), 'x'.repeat(10_000)));
    clock.advanceSync(200);
    expect(
      batches
        .slice(1)
        .flatMap(({ events }) => events)
        .map(({ event: name }) => Number(name)),
    ).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(batches.length).toBeGreaterThan(2);
  });

  it('counts what it drops while the stream is away, and holds nothing', () => {
    const { clock, batcher, dropped } = setUp(false);
    for (let index = 0; index < 1_234; index++) batcher.add(event('x'));
    clock.advanceSync(200);
    expect(dropped()).toBe(1_234);
  });

  it('keeps what became of a message until the stream is back, the oldest, and only so many', () => {
    const { clock, batches, batcher, stream, dropped } = setUp(false);
    for (let index = 0; index < 1_010; index++) {
      batcher.add(event('edge.recipient.rejected'));
      batcher.add(event('edge.message.uncertain', String(index)));
    }
    clock.advanceSync(200);
    for (let second = 0; second < 60; second++) clock.advanceSync(1_000);
    expect(dropped()).toBe(1_020);
    expect(clock.pendingTimers).toBe(1);
    stream.up = true;
    clock.advanceSync(1_000);
    expect(batches.flatMap(({ events }) => events).map(({ detail }) => detail.detail)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => String(index)),
    );
    expect(clock.pendingTimers).toBe(0);
    batcher.add(event('edge.session.aborted'));
    clock.advanceSync(200);
    expect(dropped()).toBe(1_020);
  });
});
