import { expect, test } from 'vitest';
import { type MemorySources, memoryUse } from './memory-use.js';

const mib = 1_048_576;
const sources = (constrained: number): MemorySources => ({
  constrained: () => constrained,
  machine: () => 1_000 * mib,
  atStart: () => ({ rss: 100 * mib, heapTotal: 45 * mib, external: 5 * mib }),
  now: () => ({ heapUsed: 30 * mib, external: 20 * mib }),
});

test.each<[string, number, number, number, number]>([
  ['of the machine', 0, 0, 1, 10],
  ['of the setting', 0, 400 * mib, 1, 25],
  ['of the control group, whatever is set', 200 * mib, 400 * mib, 1, 50],
  ['of no control group that allows more than there is', 2 ** 62, 0, 1, 10],
  ['shared by workers', 400 * mib, 0, 2, 50],
])('%s', (_name, constrained, configured, processes, percent) => {
  expect(memoryUse(configured, processes, sources(constrained))()).toBeCloseTo(percent);
});

test('sees bytes of messages, and that they were let go of', () => {
  const use = memoryUse(1_000 * mib, 1);
  const before = use();
  let held: Buffer | undefined = Buffer.alloc(100 * mib, 1);
  expect(use() - before).toBeGreaterThan(9);
  expect(held.at(-1)).toBe(1);
  held = undefined;
});
