import { expect, test } from 'vitest';
import { defineConfig } from './define.js';
import { loadConfig } from './load.js';
import { answersCommand } from './print-command.js';
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
  expect(answersCommand(definition, { argv: ['--config', 'x'], write })).toBe(false);
  expect(answersCommand(definition, { argv: ['config', 'print', '--set', 'edge.size=5'], write })).toBe(true);
  expect(text).toContain('size: 5');
  expect(text).toContain('name: one');
  expect(text).not.toContain('hidden-value');
  text = '';
  answersCommand(definition, { argv: ['config', 'print', '--diff', '--set', 'edge.size=5'], write });
  expect(text).toContain('size: 5');
  expect(text).not.toContain('name');
});

test.each([[['--help']], [['-h']], [['config', 'print', '--help']], [['rebuild', '--config', 'x', '--help']]])(
  '%j tells what may be given, and nothing runs',
  (argv) => {
    let text = '';
    const commands = { rebuild: 'make rows anew' };
    expect(answersCommand(definition, { argv, write: (part) => (text += part), commands })).toBe(true);
    for (const told of [
      'service edge',
      'config print',
      '--diff',
      'rebuild',
      '--config FILE',
      '--set path=value',
      'POSTERN_CONFIG',
    ])
      expect(text).toContain(told);
  },
);

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
