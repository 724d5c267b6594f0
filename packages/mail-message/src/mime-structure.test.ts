import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMimeStructure } from './mime-structure.js';
import { parseParameterized } from './parameterized.js';
import { decodeTransferEncoding, encodeQuotedPrintable } from './transfer-encoding.js';

function crlf(text: string): Buffer {
  return Buffer.from(text.replaceAll('\n', '\r\n'));
}

function shape(message: Buffer): (readonly [number, string, string | null, string])[] {
  return readMimeStructure(message).parts.map((part) => [
    part.depth,
    part.contentType,
    part.filename,
    message.toString('latin1', part.bodyStart, part.bodyEnd),
  ]);
}

test('a mixed message with a nested one', () => {
  const message = crlf(
    'Content-Type: multipart/mixed; boundary="o u"\n\npreamble\n--o u\n\nhello\n--o u  \nContent-Type: message/rfc822\n\n' +
      'Subject: inner\nContent-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/html\n\n<p>\n--i--\n' +
      '--o u\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename="b.pdf"\n' +
      'Content-Transfer-Encoding: BASE64\n\nAAAA\n--o u--\nepilogue\n',
  );
  const parts = shape(message);
  expect(parts.map(([depth, type, filename]) => [depth, type, filename])).toEqual([
    [0, 'multipart/mixed', null],
    [1, 'text/plain', null],
    [1, 'message/rfc822', null],
    [2, 'multipart/alternative', null],
    [3, 'text/html', null],
    [1, 'application/pdf', 'b.pdf'],
  ]);
  expect(parts[1]?.[3]).toBe('hello');
  expect(parts[4]?.[3]).toBe('<p>');
  expect(parts[5]?.[3]).toBe('AAAA');
});

test('a plain message is one part', () => {
  expect(shape(crlf('Subject: x\n\nbody\n'))).toEqual([[0, 'text/plain', null, 'body\r\n']]);
});

test('a delimiter inside a part header ends it, an outer delimiter ends the inner multipart', () => {
  const message = crlf(
    'Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\nX: y\n--o\n' +
      'Content-Type: image/png\n\nz\n--o--\n',
  );
  expect(shape(message).map(([depth, type]) => [depth, type])).toEqual([
    [0, 'multipart/mixed'],
    [1, 'multipart/mixed'],
    [2, 'text/plain'],
    [1, 'image/png'],
  ]);
});

describe('limits', () => {
  test('depth', () => {
    const nest = Array.from(
      { length: 60 },
      (_, level) => `Content-Type: multipart/mixed; boundary=b${level}\n\n--b${level}\n`,
    );
    const structure = readMimeStructure(crlf(nest.join('')));
    expect(structure.problem).toBe('tooDeep');
    expect(structure.parts.length).toBeLessThan(55);
    expect(readMimeStructure(crlf('Content-Type: message/rfc822\n\n'.repeat(100))).problem).toBe('tooDeep');
  });
  test('parts', () => {
    const message = crlf(`Content-Type: multipart/mixed; boundary=b\n\n${'--b\n\nx\n'.repeat(2000)}`);
    expect(readMimeStructure(message)).toMatchObject({ problem: 'tooManyParts' });
  });
  test('delimiter lines', () => {
    const message = crlf(`Content-Type: multipart/mixed; boundary=b\n\n${'--\n'.repeat(100_000)}`);
    expect(readMimeStructure(message)).toMatchObject({ problem: 'tooManyDelimiters' });
  });
  test('garbage never throws and offsets stay inside', () => {
    const piece = fc.constantFrom(
      '--b',
      '--b--',
      '\r\n',
      '\n',
      'Content-Type: multipart/x; boundary=b',
      'Content-Type: message/rfc822',
      'x',
      ':',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const message = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${pieces.join('')}`);
        for (const part of readMimeStructure(message).parts) {
          expect(part.bodyStart).toBeLessThanOrEqual(part.bodyEnd);
          expect(part.bodyEnd).toBeLessThanOrEqual(message.length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('parameters', () => {
  const cases: readonly [text: string, name: string, value: string][] = [
    ['attachment; filename=a.txt', 'filename', 'a.txt'],
    ['attachment; FileName="a;b\\".txt"', 'filename', 'a;b".txt'],
    ["attachment; filename*=UTF-8''%e2%82%ac%20rates", 'filename', '€ rates'],
    ["attachment; filename*0*=iso-8859-1'en'%A3; filename*1=x; filename*2*=%20y; filename=plain", 'filename', '£x y'],
    ['attachment; filename="=?utf-8?Q?=C3=BC.exe?="', 'filename', 'ü.exe'],
    ['text/plain (comment; name=x); charset=utf-8', 'charset', 'utf-8'],
    ['attachment; filename=a; filename=b', 'filename', 'a'],
    ['attachment; filename="open', 'filename', 'open'],
  ];
  test.each(cases)('%s', (text, name, value) => {
    expect(parseParameterized(text).parameters.get(name)).toBe(value);
  });
});

test('quoted-printable round trip in short lines', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 300 }).filter((text) => !/[\r\n]/.test(text)),
      (text) => {
        const encoded = encodeQuotedPrintable(text);
        expect(encoded).toMatch(/^[\t\r\n -~]*$/);
        for (const line of encoded.split('\r\n')) expect(line.length).toBeLessThanOrEqual(76);
        expect(decodeTransferEncoding(Buffer.from(encoded), 'Quoted-Printable').toString()).toBe(text);
      },
    ),
  );
});
