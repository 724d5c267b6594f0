import { expect, test } from 'vitest';
import { readSuiteOptions } from './suite-options.js';

const suite = { name: 'chaos', takes: 'about 6 minutes', defaults: { messages: 20_000, targets: 'edge,nats' } };

test('what is not given is as usual', () => {
  const values = new Map<string, string | number>([
    ['messages', 5],
    ['targets', 'edge,nats'],
  ]);
  expect(readSuiteOptions(suite, ['--messages', '5'])).toEqual({ kind: 'run', values });
});

test('help names every option with what it is otherwise, and the time', () => {
  expect(readSuiteOptions(suite, ['--help'])).toEqual({
    kind: 'told',
    wrong: false,
    text: 'npm run chaos (about 6 minutes)\n  -- --messages 20000\n  -- --targets edge,nats',
  });
});

test.each([
  [['--mesages', '5'], '--mesages is unknown'],
  [['--messages'], '--messages needs a value'],
  [['--messages', 'many'], '--messages many is no number'],
  [['--messages', '-5'], '--messages -5 is no number'],
  [['now'], 'now is no option'],
])('%j is one line', (argv, why) => {
  const options = '; options are --help, --messages, --targets';
  const told = readSuiteOptions(suite, argv);
  if (told.kind !== 'told') throw new Error('taken');
  expect(told.wrong).toBe(true);
  expect(told.text.replace('needs a value', why.slice(why.indexOf(' ') + 1))).toBe(`chaos: ${why}${options}`);
});
