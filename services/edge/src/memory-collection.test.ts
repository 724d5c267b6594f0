import { getHeapStatistics } from 'node:v8';
import { expect, test } from 'vitest';
import { collectGarbage } from './memory-collection.js';

test('what is no longer used, in the heap and outside it, is freed at once', async () => {
  const mib = 1_048_576;
  let held: Buffer[] | undefined = Array.from({ length: 100 }, () => Buffer.alloc(mib, 1));
  expect(held.at(-1)?.at(-1)).toBe(1);
  const before = getHeapStatistics().external_memory;
  held = undefined;
  await collectGarbage();
  expect(before - getHeapStatistics().external_memory).toBeGreaterThan(90 * mib);
});
