import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { createZone } from './testing/zone.js';

test('refuses what is beyond the questions or the time', async () => {
  const clock = new FakeClock();
  const zone = createZone({ 'x.test': { A: ['192.0.2.1'] } }, clock);
  const three = zone.withBudget({ queries: 3 });
  const kinds = [];
  for (let i = 0; i < 5; i++) kinds.push((await three.query('x.test', 'A')).kind);
  expect(kinds).toEqual(['answer', 'answer', 'answer', 'budget', 'budget']);
  const timed = zone.withBudget({ queries: 99, deadlineMs: 100 });
  expect((await timed.query('x.test', 'A')).kind).toBe('answer');
  await clock.advance(100);
  expect((await timed.query('x.test', 'A')).kind).toBe('budget');
  expect(timed.spent).toBe(2);
});
