import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { type ConnectionState, MetServer } from './index.js';

test('what was stored before the pod began, met the server again or doubted is in doubt, what is stored later is not', () => {
  const clock = new FakeClock();
  let state: ConnectionState = 'connected';
  let metAgain: () => void = () => undefined;
  const onMetAgain = (listener: () => void): void => {
    metAgain = listener;
  };
  const met = new MetServer({ state: () => state, onMetAgain }, clock);
  const look = (): [boolean, boolean] => [met.isInDoubt(clock.now()), met.isFromBeforeLoss(clock.now())];
  expect(look()).toEqual([true, false]);
  clock.advanceSync(10_000);
  expect(look()).toEqual([false, false]);
  state = 'disconnected';
  expect(look()).toEqual([true, false]);
  state = 'connected';
  metAgain();
  const stored = clock.now();
  expect(look()).toEqual([true, true]);
  clock.advanceSync(10_000);
  expect(look()).toEqual([false, false]);
  expect([met.isInDoubt(stored), met.isFromBeforeLoss(stored)]).toEqual([true, true]);
  met.doubt();
  expect(met.isInDoubt(clock.now())).toBe(true);
  clock.advanceSync(10_000);
  expect(met.isInDoubt(clock.now())).toBe(false);
});
