import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { Departures } from './departures.js';

function begin() {
  const clock = new FakeClock();
  const left: string[][] = [];
  let now: string[] = [];
  const departures = new Departures({
    clock,
    gapMs: 5,
    together(commands) {
      now = [];
      left.push(now);
      for (const command of commands) command();
    },
  });
  return { clock, left, add: (name: string) => departures.add(() => now.push(name)) };
}

test('a command that comes alone leaves at once', () => {
  const { clock, left, add } = begin();
  add('a');
  clock.advanceSync(5);
  add('b');
  expect(left).toEqual([['a'], ['b']]);
});

test('commands close upon another leave together, in order, at the end of the gap', () => {
  const { clock, left, add } = begin();
  add('a');
  add('b');
  clock.advanceSync(3);
  add('c');
  expect(left).toEqual([['a']]);
  clock.advanceSync(2);
  expect(left).toEqual([['a'], ['b', 'c']]);
  add('d');
  clock.advanceSync(5);
  expect(left).toEqual([['a'], ['b', 'c'], ['d']]);
});
