import { streamDeclarations } from '@postern/stream';
import { expect, test } from 'vitest';
import { limitsWithin } from './stream-room.js';

const GiB = 1024 ** 3;
const sum = (limits: Readonly<Record<string, number>>): number =>
  Object.values(limits).reduce((a, b) => a + b, 0) * 1_048_576;

test('a large disk: what is declared', () => {
  expect(limitsWithin(40 * GiB)).toEqual({});
});

test.each([10 * GiB, 2 * GiB, GiB / 2])('%d bytes: all streams fit, each smaller in one measure', (room) => {
  const limits = limitsWithin(room);
  expect(Object.keys(limits).sort()).toEqual(streamDeclarations.map(({ name }) => name).sort());
  expect(sum(limits)).toBeLessThanOrEqual(room * 0.7);
  expect(sum(limits)).toBeGreaterThan(room * 0.65);
  expect(limits.SPOOL).toBe(limits.WORK);
});
