import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyHeaderEdits, checkHeaderEdit, formatHeaderField, type HeaderEdit } from './header-edit.js';
import { editHeaders, HeaderEditTransform, HeaderSectionTooLarge } from './header-edit-stream.js';
import { fieldsNamed, findBodyOffset, readHeaderSection } from './header-section.js';

const message = Buffer.from('A: 1\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\n\r\nbody\r\n\r\nC: 4\r\n');

describe('readHeaderSection', () => {
  test('fields, folds, junk and body offset', () => {
    const section = readHeaderSection(message);
    expect(section.fields.map(({ name, value }) => [name, value])).toEqual([
      ['A', '1'],
      ['B', '2  two'],
      ['', 'junk line'],
      ['a', '3'],
    ]);
    expect(section.end).toBe('whole');
    expect(message.subarray(section.bodyOffset).toString()).toBe('body\r\n\r\nC: 4\r\n');
    expect(fieldsNamed(section.fields, 'A')).toHaveLength(2);
    expect(section.fields[1]?.raw.toString()).toBe('B : 2\r\n  two\r\n');
  });
  test('limits and open ends', () => {
    expect(readHeaderSection(Buffer.from('A: 1')).end).toBe('open');
    expect(readHeaderSection(Buffer.from('\r\nbody'))).toMatchObject({ end: 'whole', bodyOffset: 2, fields: [] });
    expect(readHeaderSection(Buffer.from('A: 1\nB: 2\n\nx'))).toMatchObject({ end: 'whole', bodyOffset: 11 });
    expect(readHeaderSection(message, { maxBytes: 10 })).toMatchObject({ end: 'tooLarge', bodyOffset: 6 });
    expect(readHeaderSection(message, { maxFields: 2 })).toMatchObject({ end: 'tooManyFields' });
    expect(readHeaderSection(Buffer.alloc(0))).toMatchObject({ end: 'open', bodyOffset: 0 });
  });
  test('garbage never throws and all bytes are accounted for', () => {
    const piece = fc.constantFrom('\r\n', '\n', '\r', ':', ' ', '\t', 'A', '\0', '\u00ff');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (parts) => {
        const bytes = Buffer.from(parts.join(''), 'latin1');
        const { fields, bodyOffset, end } = readHeaderSection(bytes);
        const read = fields.reduce((sum, field) => sum + field.raw.length, 0);
        expect(bodyOffset - read).toBeLessThanOrEqual(end === 'whole' ? 2 : 0);
        expect(findBodyOffset(bytes)).toBe(end === 'whole' ? bodyOffset : -1);
        expect(applyHeaderEdits(bytes, [{ op: 'remove', name: 'never', index: 0 }]).subarray(0, bytes.length)).toEqual(
          bytes,
        );
      }),
    );
  });
});

describe('applyHeaderEdits', () => {
  const cases: readonly [name: string, edits: readonly HeaderEdit[], expected: string][] = [
    [
      'prepend',
      [{ op: 'prepend', name: 'X', value: 'y' }],
      'X: y\r\nA: 1\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\n\r\n',
    ],
    [
      'insert',
      [{ op: 'prepend', name: 'X', value: 'y', index: 1 }],
      'A: 1\r\nX: y\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\n\r\n',
    ],
    ['append', [{ op: 'append', name: 'X', value: 'y' }], 'A: 1\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\nX: y\r\n\r\n'],
    [
      'add, there',
      [{ op: 'addIfAbsent', name: 'b', value: 'y' }],
      'A: 1\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\n\r\n',
    ],
    [
      'add, absent',
      [{ op: 'addIfAbsent', name: 'c', value: 'y' }],
      'A: 1\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\nc: y\r\n\r\n',
    ],
    [
      'change one',
      [{ op: 'change', name: 'a', value: 'y', index: 2 }],
      'A: 1\r\nB : 2\r\n  two\r\njunk line\r\na: y\r\n\r\n',
    ],
    [
      'change none',
      [{ op: 'change', name: 'a', value: 'y', index: 3 }],
      'A: 1\r\nB : 2\r\n  two\r\njunk line\r\na:3\r\n\r\n',
    ],
    ['remove all', [{ op: 'remove', name: 'A', index: 0 }], 'B : 2\r\n  two\r\njunk line\r\n\r\n'],
    [
      'in order',
      [
        { op: 'remove', name: 'A', index: 1 },
        { op: 'change', name: 'A', value: 'new', index: 1 },
      ],
      'B : 2\r\n  two\r\njunk line\r\nA: new\r\n\r\n',
    ],
  ];
  test.each(cases)('%s', (_name, edits, expected) => {
    const header = message.subarray(0, findBodyOffset(message));
    expect(applyHeaderEdits(header, edits).toString()).toBe(expected);
  });
  test('a section that ends without a line end gets one before what is appended', () => {
    expect(applyHeaderEdits(Buffer.from('A: 1'), [{ op: 'append', name: 'B', value: '2' }]).toString()).toBe(
      'A: 1\r\nB: 2\r\n',
    );
  });
});

describe('values', () => {
  const refused: readonly [value: string, problem: string][] = [
    ['a\r\nBcc: x', 'lineBreak'],
    ['a\nb', 'lineBreak'],
    ['a\r\n \r\n x', 'lineBreak'],
    ['a\r b', 'lineBreak'],
    ['a\r\n', 'lineBreak'],
    ['a\0', 'control'],
    ['\ud800', 'control'],
    ['a'.repeat(70_000), 'tooLong'],
  ];
  test.each(refused)('%.20j is refused', (value, problem) => {
    const edit: HeaderEdit = { op: 'append', name: 'X', value };
    expect(checkHeaderEdit(edit)).toBe(problem);
    expect(() => applyHeaderEdits(Buffer.from('A: 1\r\n\r\n'), [edit])).toThrow(TypeError);
  });
  test.each(['', 'a b', 'a:', 'ü', 'a\r\nb'])('name %j is refused', (name) => {
    expect(checkHeaderEdit({ op: 'remove', name, index: 0 })).toBe('name');
  });
  test('folding keeps the unfolded value and the limits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', ','), maxLength: 1500 }), { maxLength: 30 }),
        (words) => {
          const value = words.filter((word) => word !== '').join(' ');
          const raw = formatHeaderField('Subject', value);
          for (const line of raw.toString().split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
          const field = readHeaderSection(raw).fields[0];
          const longest = Math.max(0, ...words.map((word) => Buffer.byteLength(word)));
          if (longest < 900) expect(field?.value).toBe(value);
          else expect(field?.value.replaceAll(' ', '')).toBe(value.replaceAll(' ', ''));
        },
      ),
    );
  });
  test('folds of the caller stay', () => {
    expect(formatHeaderField('A', 'x\r\n\ty\n z').toString()).toBe('A: x\r\n\ty\r\n z\r\n');
  });
});

describe('streaming', () => {
  const edits: readonly HeaderEdit[] = [{ op: 'prepend', name: 'X', value: 'y' }];
  function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
    const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
    return edges
      .slice(1)
      .map((edge, index) => bytes.subarray(edges[index], edge))
      .filter((chunk) => chunk.length > 0);
  }
  test('any segmentation gives the same bytes, in both forms', async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: message.length }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(cuts, async (chosen) => {
        const chunks = split(message, chosen);
        const expected = `X: y\r\n${message}`;
        expect((await buffer(editHeaders(chunks, edits))).toString()).toBe(expected);
        expect((await buffer(Readable.from(chunks).pipe(new HeaderEditTransform(edits)))).toString()).toBe(expected);
      }),
    );
  });
  test('a header section over the limit fails', async () => {
    const chunks = [Buffer.alloc(60, 'a'), Buffer.alloc(60, 'a')];
    await expect(buffer(editHeaders(chunks, edits, { maxBytes: 100 }))).rejects.toBeInstanceOf(HeaderSectionTooLarge);
  });
  test('a message without an end of header', async () => {
    expect((await buffer(editHeaders([Buffer.from('A: 1')], edits))).toString()).toBe('X: y\r\nA: 1\r\n');
  });
});
