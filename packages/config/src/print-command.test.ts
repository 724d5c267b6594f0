import { expect, test } from 'vitest';
import { defineConfig } from './define.js';
import { loadConfig } from './load.js';
import { printsConfig } from './print-command.js';
import { s } from './s.js';

const definition = defineConfig('edge', {
  edge: s.object({
    name: s.string().default('one').doc('Name.'),
    secret: s.string().secret().default('hidden-value').doc('Secret.'),
    size: s.integer().default(3).doc('Size.'),
  }),
});

test('config print shows what would be used, and --diff only what differs', () => {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  expect(printsConfig(definition, ['--config', 'x'], write)).toBe(false);
  expect(printsConfig(definition, ['config', 'print', '--set', 'edge.size=5'], write)).toBe(true);
  expect(text).toContain('size: 5');
  expect(text).toContain('name: one');
  expect(text).not.toContain('hidden-value');
  text = '';
  printsConfig(definition, ['config', 'print', '--diff', '--set', 'edge.size=5'], write);
  expect(text).toContain('size: 5');
  expect(text).not.toContain('name');
});

test.each([
  ['an option', ['--bogus'], /--bogus/],
  ['a word', ['bogus', '--set', 'edge.size=5'], /argument bogus: unknown/],
  ['a word at the end', ['--set', 'edge.size=5', 'bogus'], /argument bogus: unknown/],
  [
    'a command that stands behind options',
    ['--set', 'edge.size=5', 'config', 'print'],
    /before them the command config print/,
  ],
])('%s nobody knows is refused by name', (_, argv, told) => {
  expect(() => loadConfig(definition, { argv, env: {} })).toThrow(told);
});
