import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataReader } from './line-policy.js';

function read(wire: string | Buffer, cuts: readonly number[] = []) {
  const bytes = Buffer.from(typeof wire === 'string' ? Buffer.from(wire, 'latin1') : wire);
  const reader = new DataReader(998);
  const parts: Buffer[] = [];
  let start = 0;
  for (const cut of [...[...cuts].sort((a, b) => a - b), bytes.length]) {
    const chunk = Buffer.from(bytes.subarray(start, Math.min(cut, bytes.length)));
    const end = reader.feed(chunk);
    parts.push(Buffer.from(reader.content));
    if (end !== -1) {
      const content = reader.violation === undefined ? Buffer.concat(parts).toString('latin1') : '';
      return { content, violation: reader.violation, end: start + end };
    }
    start = Math.max(start, Math.min(cut, bytes.length));
  }
  return {
    content: reader.violation === undefined ? Buffer.concat(parts).toString('latin1') : '',
    violation: reader.violation,
    end: -1,
  };
}

describe('line policy', () => {
  it.each([
    ['plain', 'a\r\nb\r\n.\r\n', 'a\r\nb\r\n', 9],
    ['empty message', '.\r\n', '', 3],
    ['one empty line', '\r\n.\r\n', '\r\n', 5],
    ['stuffed dot', '..\r\n.\r\n', '.\r\n', 7],
    ['stuffed text', '..a\r\n...\r\nx\r\n.\r\n', '.a\r\n..\r\nx\r\n', 16],
    ['dot before text without stuffing', '.a\r\n.\r\n', 'a\r\n', 7],
    ['dot inside a line', 'a.\r\nb..\r\n.\r\n', 'a.\r\nb..\r\n', 12],
    ['commands behind the end are not read', 'a\r\n.\r\nMAIL FROM:<>\r\n', 'a\r\n', 6],
  ])('reads %s', (_name, wire, content, end) => {
    expect(read(wire)).toEqual({ content, violation: undefined, end });
  });

  // The smuggling sequences: none of them may end the message, every one is refused (RFC 5321 §2.3.8, §4.1.1.4).
  it.each([
    ['LF.LF', 'a\n.\nMAIL\r\n.\r\n', 'bareNewline'],
    ['LF.CRLF', 'a\n.\r\nMAIL\r\n.\r\n', 'bareNewline'],
    ['CRLF.LF', 'a\r\n.\nMAIL\r\n.\r\n', 'bareNewline'],
    ['CR.CR', 'a\r.\rMAIL\r\n.\r\n', 'bareNewline'],
    ['CR.CRLF', 'a\r.\r\nMAIL\r\n.\r\n', 'bareNewline'],
    ['CRLF.CR', 'a\r\n.\rMAIL\r\n.\r\n', 'bareNewline'],
    ['LF.CR', 'a\n.\rMAIL\r\n.\r\n', 'bareNewline'],
    ['CR.LF', 'a\r.\nMAIL\r\n.\r\n', 'bareNewline'],
    ['CRLF.CRCRLF', 'a\r\n.\r\r\nMAIL\r\n.\r\n', 'bareNewline'],
    ['CRLF NUL.CRLF', 'a\r\n\0.\r\nMAIL\r\n.\r\n', 'nul'],
    ['CRLF.NUL CRLF', 'a\r\n.\0\r\nMAIL\r\n.\r\n', 'nul'],
    ['LF.. CRLF', 'a\n..\r\nMAIL\r\n.\r\n', 'bareNewline'],
  ])('refuses %s and reads on to the true end, in any segmentation', (_name, wire, violation) => {
    for (let cut = 0; cut <= wire.length; cut++) {
      expect(read(wire, [cut])).toEqual({ content: '', violation, end: wire.length });
    }
  });

  it('ends CRCRLF.CRLF as the true end that it is, but refuses the bare CR', () => {
    expect(read('a\r\r\n.\r\nMAIL\r\n')).toEqual({ content: '', violation: 'bareNewline', end: 7 });
  });

  it('refuses a line longer than the limit, also one that never ends', () => {
    expect(read(`${'a'.repeat(998)}\r\n.\r\n`).violation).toBeUndefined();
    expect(read(`${'a'.repeat(999)}\r\n.\r\n`).violation).toBe('lineTooLong');
    expect(read('a'.repeat(1002)).violation).toBe('lineTooLong');
  });

  it('gives the same result for any segmentation', () => {
    const piece = fc.constantFrom('\r\n', '.', '..', 'text', '\r\n.', '\r', '\n', '\0', '\r\n.\r\n', ' ', '\r\n..\r\n');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(150), { maxLength: 12 }), (pieces, cuts) => {
        const wire = pieces.join('');
        const whole = read(wire);
        const cut = read(wire, cuts);
        expect(cut.end).toBe(whole.end);
        // A violation behind the end is not part of this message; one before it is always found.
        if (whole.end !== -1) expect(cut).toEqual(whole);
      }),
      { numRuns: 3000 },
    );
  });

  it('takes out what a sender stuffed, byte for byte', () => {
    const line = fc.string({ unit: fc.constantFrom('.', 'a', ' ', 'é'), maxLength: 20 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.array(fc.nat(500), { maxLength: 12 }), (lines, cuts) => {
        const content = lines.map((text) => `${text}\r\n`).join('');
        const wire = `${lines
          .map((text) => (text.startsWith('.') ? `.${text}` : text))
          .map((text) => `${text}\r\n`)
          .join('')}.\r\n`;
        expect(read(wire, cuts)).toEqual({ content, violation: undefined, end: Buffer.byteLength(wire, 'latin1') });
      }),
      { numRuns: 2000 },
    );
  });
});
