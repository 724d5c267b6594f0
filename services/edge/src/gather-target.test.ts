/** How many mails a write waits for: nothing without a crowd, more where they come, fewer where they do not. */
import { expect, test } from 'vitest';
import { GatherTarget } from './gather-target.js';

const after = (mails: number): GatherTarget => {
  const target = new GatherTarget();
  target.written(mails);
  return target;
};

test('after a write of one or two mails the next waits for nothing', () => {
  for (const mails of [1, 2]) expect(after(mails).mails).toBe(0);
  const target = after(3);
  expect(target.mails).toBe(3);
  target.written(2);
  expect(target.mails).toBe(0);
});

test('it grows by one each time it was reached four times running, up to 32', () => {
  const target = after(8);
  for (let n = 0; n < 4; n++) target.reached();
  expect(target.mails).toBe(4);
  for (let n = 0; n < 3; n++) target.reached();
  expect(target.mails).toBe(4);
  for (let n = 0; n < 200; n++) target.reached();
  expect(target.mails).toBe(32);
});

test('six sessions that send as fast as they can wait in vain one time in five', () => {
  const target = after(6);
  let missed = 0;
  for (let n = 0; n < 200; n++) {
    if (target.mails <= 6) target.reached();
    else {
      missed++;
      target.missed();
    }
  }
  expect(target.mails).toBeGreaterThanOrEqual(6);
  expect(target.mails).toBeLessThanOrEqual(7);
  expect(missed).toBeGreaterThan(0);
  expect(missed).toBeLessThanOrEqual(40);
});

test('it shrinks by one each time in vain, down to a crowd', () => {
  const target = after(8);
  for (let n = 0; n < 8; n++) target.reached();
  target.missed();
  expect(target.mails).toBe(4);
  for (let n = 0; n < 9; n++) target.missed();
  expect(target.mails).toBe(3);
});
