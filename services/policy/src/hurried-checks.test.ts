import { expect, test } from 'vitest';
import { askEnvelope, ground, settings } from './testing/ground.js';

test('a timeout longer than edges wait is told once a snapshot, of the checks that are on', async () => {
  const here = ground({ snapshot: settings({ spf: { timeout: '20s' }, helo: { timeout: '5s' } }) });
  for (let request = 0; request < 60; request++) await askEnvelope(here);
  expect(here.faults).toEqual(['spf 20000 of 5000']);
});
