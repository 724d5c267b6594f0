import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { parseOperatorDocument } from './document.js';
import { RefusedDocument } from './refused-document.js';

const reading = () => ({ document: parseOperatorDocument([]), texts: [] });

test('it is tried again when something changed since, and not at once', async () => {
  const clock = new FakeClock();
  const refused = new RefusedDocument(clock);
  const newest = reading();
  expect(refused.refuse(newest, 'no such tenant')).toBe(true);
  await clock.advance(60_000);
  expect(refused.due()).toBeUndefined();
  refused.changed();
  expect(refused.due()).toBe(newest);
  expect(refused.refuse(newest, 'no such tenant')).toBe(false);
  refused.changed();
  await clock.advance(4_999);
  expect(refused.due()).toBeUndefined();
  await clock.advance(1);
  expect(refused.due()).toBe(newest);
  expect(refused.refuse(newest, 'another one')).toBe(true);
});

test('a newer file, also one that cannot be read, ends it', async () => {
  const clock = new FakeClock();
  const refused = new RefusedDocument(clock);
  refused.refuse(reading(), 'no such tenant');
  refused.changed();
  refused.forget();
  await clock.advance(60_000);
  expect(refused.due()).toBeUndefined();
  const next = reading();
  expect(refused.refuse(next, 'no such tenant')).toBe(true);
  expect(refused.reading).toBe(next);
  expect(refused.due()).toBeUndefined();
});
