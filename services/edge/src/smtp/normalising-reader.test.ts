import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataReader } from './line-policy.js';
import { NormalisingReader } from './normalising-reader.js';

const wire = fc
  .array(fc.constantFrom('\r\n', '\r', '\n', '\0', '.', 'a', '\r\n.', '.\r', '\r\n..'), { maxLength: 40 })
  .map((parts) => `${parts.join('')}\r\n.\r\nQUIT\r\n`);

function read(text: string, cuts: readonly number[]) {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new NormalisingReader(1_000);
  let content = '';
  let from = 0;
  for (const to of [...new Set([...cuts.filter((at) => at > 0 && at < bytes.length), bytes.length])].sort(
    (a, b) => a - b,
  )) {
    const end = reader.feed(Buffer.from(bytes.subarray(from, to)));
    content += reader.content.toString('latin1');
    if (end !== -1) return { content, end: from + end, changed: reader.changed };
    from = to;
  }
  return { content, end: -1, changed: reader.changed };
}

describe('normalising reader', () => {
  it('gives whole lines, ends where the strict reader does, however it is cut', () => {
    fc.assert(
      fc.property(wire, fc.array(fc.nat(120), { maxLength: 10 }), (text, cuts) => {
        const whole = read(text, []);
        expect(whole.content.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
        expect(whole.end).toBe(new DataReader(1_000).feed(Buffer.from(text, 'latin1')));
        expect(read(text, cuts)).toEqual(whole);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['a\nb\r\n.\r\n', 'a\r\nb\r\n'],
    ['a\rb\r\n.\r\n', 'a\r\nb\r\n'],
    ['a\0b\r\n.\r\n', 'ab\r\n'],
    ['a\n.\nb\r\n.\r\n', 'a\r\n.\r\nb\r\n'],
    ['..a\r\n.\r\n', '.a\r\n'],
    ['plain\r\n.\r\n', 'plain\r\n'],
  ])('makes of %j %j', (text, content) => {
    expect(read(text, []).content).toBe(content);
  });

  it('refuses a line beyond the limit', () => {
    const reader = new NormalisingReader(10);
    reader.feed(Buffer.from(`${'a'.repeat(20)}\r\n.\r\n`));
    expect(reader.violation).toBe('lineTooLong');
  });
});
