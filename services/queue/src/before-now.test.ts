import { FakeClock } from '@postern/clock';
import type { ConnectionState } from '@postern/stream';
import { expect, test } from 'vitest';
import { dispatchedBefore } from './before-now.js';

test('what was due before the pod, the connection or a doubt began may have been dispatched, what is due later may not', () => {
  const clock = new FakeClock();
  let state: ConnectionState = 'connected';
  let times = 1;
  const before = dispatchedBefore({ state: () => state, times: () => times }, clock);
  const isMarked = (): boolean => before.mayHave(clock.now());
  const seen = [isMarked()];
  const later = (): void => {
    clock.advanceSync(10_000);
    seen.push(isMarked());
  };
  later();
  state = 'disconnected';
  seen.push(isMarked());
  state = 'connected';
  seen.push(isMarked());
  times = 2;
  seen.push(isMarked());
  later();
  before.doubt();
  seen.push(isMarked());
  later();
  expect(seen).toEqual([true, false, true, false, true, false, true, false]);
});
