import { expect, test } from 'vitest';
import { shutListeners } from './shut-listeners.js';

test.each<[string, string[]]>([
  ['listeners:\n  off: { role: mx, enabled: false }\n  mx: { enabled: true }\n  submission: {}', ['off']],
  ['limits: { connections: 5 }', []],
  ['', []],
])('of %j are switched off %j', (text, expected) => {
  expect(shutListeners({ file: 'own.yaml', text })).toEqual(expected);
});
