import { describe, expect, test } from 'vitest';
import { FakeClock } from './fake-clock.js';
import { type Random, seededRandom, systemRandom } from './random.js';
import { createUlidSource, isUlid, ulidTime } from './ulid.js';

const constant = (byte: number): Random => ({ bytes: (count) => Buffer.alloc(count, byte), float: () => 0 });

describe('createUlidSource', () => {
  test('encodes the published example time', () => {
    const next = createUlidSource(new FakeClock(1469918176385), constant(0));
    expect(next()).toBe('01ARYZ6S410000000000000000');
  });

  test('strictly increases within a millisecond, over the next, and when the clock goes back', () => {
    const clock = new FakeClock();
    const next = createUlidSource(clock, seededRandom(7));
    const ids: string[] = [];
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 50; i++) ids.push(next());
      if (round === 25) clock.jumpTo(clock.now() - 5000);
      clock.advanceSync(1);
    }
    for (let i = 1; i < ids.length; i++) expect(`${ids[i - 1]}` < `${ids[i]}`).toBe(true);
    expect(ids.every(isUlid)).toBe(true);
  });

  test('carries through the random part and, when it is all ones, into the next millisecond', () => {
    const ones: Random = { bytes: (count) => Buffer.alloc(count, 0xff).fill(0, 10, 20), float: () => 0 };
    const next = createUlidSource(new FakeClock(0), ones);
    expect(next()).toBe('0000000000ZZZZZZZZZZZZZZZZ');
    expect(next()).toBe('00000000010000000000000000');
    const low: Random = {
      bytes: (count) => Buffer.alloc(count, Buffer.from('000000000000000fffff', 'hex')),
      float: () => 0,
    };
    const carrying = createUlidSource(new FakeClock(0), low);
    expect(carrying()).toBe('0000000000000000000000ZZZZ');
    expect(carrying()).toBe('00000000000000000000010000');
  });

  test('ulidTime gives back the millisecond', () => {
    const next = createUlidSource(new FakeClock(1_753_000_000_123), systemRandom);
    expect(ulidTime(next())).toBe(1_753_000_000_123);
    expect(ulidTime('not an id')).toBeUndefined();
  });
});

test.each([
  ['01ARYZ6S410000000000000000', true],
  ['7ZZZZZZZZZZZZZZZZZZZZZZZZZ', true],
  ['8ZZZZZZZZZZZZZZZZZZZZZZZZZ', false],
  ['01ARYZ6S41000000000000000I', false],
  ['01aryz6s410000000000000000', false],
  ['01ARYZ6S41000000000000000', false],
  ['01ARYZ6S4100000000000000000', false],
  ['', false],
])('isUlid(%j) is %s', (text, expected) => expect(isUlid(text)).toBe(expected));

describe('random', () => {
  test('one seed repeats, two differ, floats stay in range', () => {
    expect(seededRandom(1).bytes(16)).toEqual(seededRandom(1).bytes(16));
    expect(seededRandom(1).bytes(16)).not.toEqual(seededRandom(2).bytes(16));
    for (const random of [seededRandom(3), systemRandom]) {
      let sum = 0;
      for (let i = 0; i < 2000; i++) {
        const value = random.float();
        expect(value >= 0 && value < 1).toBe(true);
        sum += value;
      }
      expect(sum / 2000).toBeGreaterThan(0.4);
      expect(sum / 2000).toBeLessThan(0.6);
    }
  });
});
