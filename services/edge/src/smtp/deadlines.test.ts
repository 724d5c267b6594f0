import { describe, expect, it } from 'vitest';
import { type Activity, deadlineOf, deadlinesOf, startActivity } from './deadlines.js';

const receiving = (): Activity => ({ kind: 'receiving', sinceMs: 0, received: 0, checkedMs: 0 });

/** Looks once a second while `rate` octets come each second; the second in which one passed and which, or undefined. */
function passesAt(rate: (second: number) => number, seconds: number): readonly [number, string] | undefined {
  const activity = receiving();
  let received = 0;
  for (let second = 1; second <= seconds; second++) {
    received += rate(second);
    const passed = deadlineOf(activity, received, second * 1_000);
    if (passed !== 'none') return [second, passed];
  }
  return undefined;
}

describe('deadlines', () => {
  it('gives a command line five minutes in all', () => {
    expect(deadlineOf(startActivity(0), 0, 300_000)).toBe('none');
    expect(deadlineOf(startActivity(0), 0, 300_001)).toBe('command');
  });

  it('goes by what the operator set, and by the defaults for the rest', () => {
    const own = deadlinesOf({ commandMs: 1_000, minimumRate: 1_000 });
    expect(own).toMatchObject({ messageMs: 3_600_000, silenceMs: 180_000, sessionMs: 0 });
    expect(deadlineOf(startActivity(0), 0, 1_001, own)).toBe('command');
    const slow = receiving();
    expect(deadlineOf(slow, 59_000, 60_001, own)).toBe('minimumRate');
    expect(deadlineOf(receiving(), 59_000, 60_001)).toBe('none');
  });

  it('has none while we owe the next word', () => {
    expect(deadlineOf({ kind: 'working' }, 0, 1e9)).toBe('none');
  });

  it.each<[string, (second: number) => number, readonly [number, string] | undefined]>([
    ['a byte a second', () => 1, [61, 'minimumRate']],
    ['nothing at all', () => 0, [61, 'minimumRate']],
    ['a burst, then silence', (second) => (second === 1 ? 1e6 : 0), [182, 'silence']],
    ['a slow line that moves', () => 200, undefined],
  ])('message bytes: %s', (_name, rate, passed) => {
    expect(passesAt(rate, 1_000)).toEqual(passed);
  });

  it('ends a message after an hour, whatever it does', () => {
    expect(passesAt(() => 1_000, 4_000)).toEqual([3_601, 'message']);
  });
});
