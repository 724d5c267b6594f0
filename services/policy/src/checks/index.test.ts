import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ground } from '../testing/ground.js';
import { template } from './_template.js';
import { checks } from './index.js';

const policies = ground().snapshot.policies.server;

test.each(checks.map((check) => [check.name, check] as const))('%s says what it is and has a test', (name, check) => {
  expect(check.doc).toMatch(/^[A-Z].*\.$/);
  expect(check.outcomes).toContain(check.late(policies));
  expect(new Set(check.outcomes).size).toBe(check.outcomes.length);
  expect(check.timeoutMs).toBeGreaterThan(0);
  expect(existsSync(join(import.meta.dirname, `${name.replaceAll('_', '-')}.test.ts`))).toBe(true);
});

test('the template has the shape of a check', () => {
  expect(template.outcomes).toContain(template.late(policies));
});
