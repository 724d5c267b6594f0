import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DotStuffer } from './dot-stuffing.js';

/** The octets on the wire, or null where the stuffer stopped. */
function stuff(chunks: readonly Buffer[]): Buffer | null {
  const stuffer = new DotStuffer();
  const out: Buffer[] = [];
  for (const chunk of chunks) {
    const pushed = stuffer.push(chunk);
    if (!pushed.ok) return null;
    out.push(pushed.bytes);
  }
  const end = stuffer.finish();
  return end.ok ? Buffer.concat([...out, end.bytes]) : null;
}

/** What a strict receiver makes of it: RFC 5321 §4.5.2, slow and plain. Null if anything follows the first end of data. */
function receive(wire: Buffer): string | null {
  const framed = `\r\n${wire.toString('latin1')}`;
  const end = framed.indexOf('\r\n.\r\n');
  if (end !== framed.length - 5) return null;
  return framed.slice(2, end + 2).replace(/(^|\r\n)\./g, '$1');
}

const table: readonly [text: string, wire: string | null][] = [
  ['', '.\r\n'],
  ['a\r\n', 'a\r\n.\r\n'],
  ['a', 'a\r\n.\r\n'],
  ['.', '..\r\n.\r\n'],
  ['.\r\n', '..\r\n.\r\n'],
  ['a\r\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n'],
  ['a\r\n..b\r\n', 'a\r\n...b\r\n.\r\n'],
  ['a.\r\n', 'a.\r\n.\r\n'],
  ['a\n', null],
  ['\n', null],
  ['a\r', null],
  ['a\rb\r\n', null],
  ['a\r\r\n', null],
  ['a\n.\r\nMAIL FROM:<x>', null],
  ['a\r\n\n', null],
];

test.each(table)('%j', (text, wire) => {
  const bytes = Buffer.from(text, 'latin1');
  const whole = stuff([bytes]);
  expect(whole?.toString('latin1') ?? null).toBe(wire);
  expect(stuff([...bytes].map((octet) => Buffer.from([octet])))).toEqual(whole);
});

test('round trip in any segmentation; bare line ends never pass', () => {
  const piece = fc.constantFrom('.', '\r\n', 'a', '\r', '\n', '..', '\r\n.\r\n', ' ', '\u00ff');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(60), { maxLength: 8 }), (pieces, cuts) => {
      const text = pieces.join('');
      const bytes = Buffer.from(text, 'latin1');
      const edges = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
      const wire = stuff(edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge)));
      const clean = !/\r(?!\n)|(?<!\r)\n/.test(text);
      if (!clean) expect(wire).toBeNull();
      else
        expect(wire === null ? null : receive(wire)).toBe(text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`);
    }),
    { numRuns: 2000 },
  );
});

test('a chunk without leading dots is not copied', () => {
  const chunk = Buffer.from('a\r\nb.\r\n');
  expect(new DotStuffer().push(chunk)).toEqual({ ok: true, bytes: chunk });
  const pushed = new DotStuffer().push(chunk);
  expect(pushed.ok && pushed.bytes === chunk).toBe(true);
});
