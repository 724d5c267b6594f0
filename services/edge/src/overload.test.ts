import { expect, it } from 'vitest';
import { judgeLoad } from './overload.js';

it.each([
  [{ loopDelayMs: 100, heap: 0.5 }, undefined, undefined],
  [{ loopDelayMs: 501, heap: 0.5 }, undefined, 'event loop'],
  [{ loopDelayMs: 300, heap: 0.5 }, 'event loop', 'event loop'],
  [{ loopDelayMs: 300, heap: 0.5 }, undefined, undefined],
  [{ loopDelayMs: 199, heap: 0.5 }, 'event loop', undefined],
  [{ loopDelayMs: 1, heap: 0.95 }, undefined, 'memory'],
  [{ loopDelayMs: 1, heap: 0.85 }, 'memory', 'memory'],
  [{ loopDelayMs: 1, heap: 0.79 }, 'memory', undefined],
])('%o after %s = %s', (reading, before, after) => {
  expect(judgeLoad(reading, before)).toBe(after);
});
