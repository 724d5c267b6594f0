import { describe, expect, it } from 'vitest';
import { HeldBytes } from './held-bytes.js';

const whole = Buffer.from(Array.from({ length: 20_000 }, (_, at) => at % 251));

function held(cuts: number, expected = 16_384): HeldBytes {
  const bytes = new HeldBytes(expected);
  for (let at = 0; at < whole.length; at += cuts) bytes.add(Buffer.from(whole.subarray(at, at + cuts)));
  return bytes;
}

describe('held bytes', () => {
  it.each([1, 2, 7, 1_000, 8_192, 19_999, 20_000])('are the same cut into pieces of %i', (cuts) => {
    const bytes = held(cuts);
    expect(bytes.size).toBe(whole.length);
    expect(bytes.whole().equals(whole)).toBe(true);
  });

  it('are kept as they came where they came in one piece', () => {
    const segment = Buffer.allocUnsafeSlow(10_240);
    const bytes = new HeldBytes(131_072);
    bytes.add(segment);
    expect(bytes.whole()).toBe(segment);
  });

  it.each([1, 100, 10_240])('of a large read keep not more alive than twice themselves: %i', (length) => {
    const bytes = new HeldBytes(131_072);
    bytes.add(Buffer.allocUnsafeSlow(65_536).subarray(0, length));
    expect(bytes.whole().buffer.byteLength).toBeLessThanOrEqual(Math.max(2 * length, 16_384));
  });

  it('in pieces take memory for the bytes, not for the pieces', () => {
    expect(held(1).whole().buffer.byteLength).toBeLessThanOrEqual(2 * whole.length);
  });

  it('shown once stay as they were', () => {
    const bytes = new HeldBytes(131_072);
    bytes.add(Buffer.from('one'));
    bytes.add(Buffer.from('two'));
    const shown = bytes.whole();
    bytes.add(Buffer.from('three'));
    expect(shown.toString()).toBe('onetwo');
    bytes.clear();
    expect(bytes.whole()).toHaveLength(0);
  });
});
