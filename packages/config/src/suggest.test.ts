import { expect, test } from 'vitest';
import { choices } from './suggest.js';

const sections = [
  ...['nats', 'redis', 'database', 'telemetry', 'lifecycle', 'scopeKeyFile', 'edge', 'policy', 'queue', 'delivery'],
  ...['provisioning', 'limits', 'access', 'listeners', 'checks', 'rules', 'retry', 'nextHops', 'tenants', 'hostname'],
];

test.each([
  ['few are all named, as they stand', 'zzz', ['b', 'a'], 'b, a'],
  ['many: those that hold the word first', 'hops', sections, /^nextHops, .* or 14 others \(docs\/reference\/config\)$/],
  ['many: the word holds one', 'smtpListeners', sections, /^listeners, /],
  ['many: what begins alike', 'deliverer', sections, /^delivery, /],
] as const)('%s', (_, word, known, said) => {
  expect(choices(word, known)).toMatch(said);
});

test('one readable line, however many there are', () => {
  const many = Array.from({ length: 200 }, (_, n) => `setting${n}`);
  expect(choices('nothing', many).length).toBeLessThan(120);
});
