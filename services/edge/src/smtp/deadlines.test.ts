import { describe, expect, it } from 'vitest';
import { type Activity, deadlineOf, deadlinesOf, startActivity } from './deadlines.js';

const receiving = (): Activity => ({ kind: 'receiving', sinceMs: 0, received: 0, checkedMs: 0 });

/** Looks once a second while `rate` octets come each second; the second in which it passed, or undefined. */
function passesAt(rate: (second: number) => number, seconds: number): number | undefined {
  const activity = receiving();
  let received = 0;
  for (let second = 1; second <= seconds; second++) {
    received += rate(second);
    if (deadlineOf(activity, received, second * 1_000) === 'passed') return second;
  }
  return undefined;
}

describe('deadlines', () => {
  it('gives a command line five minutes in all', () => {
    expect(deadlineOf(startActivity(0), 0, 300_000)).toBe('open');
    expect(deadlineOf(startActivity(0), 0, 300_001)).toBe('passed');
  });

  it('goes by what the operator set, and by the defaults for the rest', () => {
    const own = deadlinesOf({ commandMs: 1_000, minimumRate: 1_000 });
    expect(own).toMatchObject({ messageMs: 3_600_000, silenceMs: 180_000, sessionMs: 0 });
    expect(deadlineOf(startActivity(0), 0, 1_001, own)).toBe('passed');
    const slow = receiving();
    expect(deadlineOf(slow, 59_000, 60_001, own)).toBe('passed');
    expect(deadlineOf(receiving(), 59_000, 60_001)).toBe('open');
  });

  it('has none while we owe the next word', () => {
    expect(deadlineOf({ kind: 'working' }, 0, 1e9)).toBe('open');
  });

  it.each([
    ['a byte a second', () => 1, 61],
    ['nothing at all', () => 0, 61],
    ['a burst, then silence', (second: number) => (second === 1 ? 1e6 : 0), 182],
    ['a slow line that moves', () => 200, undefined],
  ])('message bytes: %s', (_name, rate, second) => {
    expect(passesAt(rate, 1_000)).toBe(second);
  });

  it('ends a message after an hour, whatever it does', () => {
    expect(passesAt(() => 1_000, 4_000)).toBe(3_601);
  });
});
