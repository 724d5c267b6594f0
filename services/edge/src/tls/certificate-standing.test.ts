import { expect, test } from 'vitest';
import type { Certificate } from './certificate-files.js';
import { certificateStanding, endings, firstEnd } from './certificate-standing.js';

const now = Date.parse('2026-11-21T12:00:00Z');
const certificate = (name: string, end: string): Certificate => ({
  ...{ name, cert: Buffer.alloc(0), key: Buffer.alloc(0), names: [] },
  expiresAtMs: Date.parse(end),
});
const fresh = certificate('default', '2027-02-01T00:00:00Z');
const soon = certificate('acme', '2026-12-01T08:00:00Z');
const over = certificate('old', '2026-11-21T11:59:59Z');

test.each<[string, readonly Certificate[], string, object]>([
  ['no certificate', [], '', { state: 'ok' }],
  ['a long time to go', [fresh], '', { state: 'ok' }],
  ['the end is near', [fresh, soon], '', { state: 'degraded', detail: 'acme expires on 2026-12-01' }],
  ['one over, one near', [soon, over], '', { state: 'degraded', detail: 'old expired on 2026-11-21 (and 1 more)' }],
  ['refused', [fresh], 'no key', { state: 'degraded', detail: 'changed files are not in use: no key' }],
])('%s', (_name, certificates, refused, expected) => {
  expect(certificateStanding(certificates, refused, now)).toEqual(expected);
});

test('the earliest end comes first and is the metric', () => {
  expect(endings([fresh, soon, over], now).map(({ name, isOver }) => [name, isOver])).toEqual([
    ['old', true],
    ['acme', false],
  ]);
  expect(firstEnd([fresh, soon])).toBe(soon.expiresAtMs / 1_000);
  expect(firstEnd([])).toBe(0);
});
