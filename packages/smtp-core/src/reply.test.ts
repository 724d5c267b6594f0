import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseEnhancedCode } from './enhanced-code.js';
import { replies } from './replies.js';
import { formatReply } from './reply.js';
import { ReplyParser } from './reply-parser.js';
import { decodeUtf8AddressXtext, decodeXtext, encodeUtf8AddressXtext, encodeXtext } from './xtext.js';

describe('formatReply', () => {
  test('the session id ends every 4xx and 5xx, and no other', () => {
    expect(formatReply(replies.mailboxUnknown, '01J')).toBe('550 5.1.1 no such mailbox here (01J)\r\n');
    expect(formatReply(replies.localError, '01J')).toBe('451 4.3.0 local error, try again later (01J)\r\n');
    expect(formatReply(replies.queued('Q1'), '01J')).toBe('250 2.6.0 queued as Q1\r\n');
    expect(formatReply(replies.startData, '01J')).toMatch(/^354 end/);
  });
  test('several lines', () => {
    expect(formatReply(replies.hello('mx.test', ['SIZE 1', 'DSN']))).toBe('250-mx.test\r\n250-SIZE 1\r\n250 DSN\r\n');
    expect(formatReply({ code: 550, enhanced: '5.7.1', text: ['a', 'b'] }, 's')).toBe(
      '550-5.7.1 a\r\n550 5.7.1 b (s)\r\n',
    );
  });
  test('outside text makes no line', () => {
    expect(formatReply(replies.rejected('a\r\n250 b\0c'))).toBe('550 5.7.1 a 250 b c\r\n');
    expect(formatReply(replies.rejected('grün'))).toBe('550 5.7.1 grun\r\n');
    expect(formatReply(replies.rejected('grün'), undefined, { utf8: true })).toBe('550 5.7.1 grün\r\n');
    expect(formatReply(replies.ok, undefined, { enhancedCodes: false })).toBe('250 OK\r\n');
  });
  test('a line is never longer than 512 octets and keeps its session id', () => {
    const line = formatReply(replies.rejected('ü'.repeat(600)), '01J', { utf8: true });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(512);
    expect(line).toMatch(/ü \(01J\)\r\n$/);
  });
  test('reply class and enhanced class agree in the whole catalogue', () => {
    for (const entry of Object.values(replies)) {
      const reply = typeof entry === 'function' ? null : entry;
      if (reply === null || !('enhanced' in reply) || reply.enhanced === undefined) continue;
      expect(reply.enhanced.charAt(0)).toBe(String(reply.code).charAt(0));
    }
  });
});

describe('ReplyParser', () => {
  const wire = Buffer.from(
    '220 mx.test ESMTP\r\n250-mx.test\r\n250-SIZE\r\n250 DSN\r\n550-5.1.1 no\r\n550 5.1.1 such\n250\r\n',
    'latin1',
  );
  const expected = [
    { code: 220, enhanced: null, lines: ['mx.test ESMTP'] },
    { code: 250, enhanced: null, lines: ['mx.test', 'SIZE', 'DSN'] },
    { code: 550, enhanced: '5.1.1', lines: ['no', 'such'] },
    { code: 250, enhanced: null, lines: [''] },
  ];
  test('any segmentation gives the same replies', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: wire.length }), { maxLength: 20 }), (cuts) => {
        const parser = new ReplyParser();
        const edges = [0, ...cuts.toSorted((a, b) => a - b), wire.length];
        const got = edges.slice(1).flatMap((edge, index) => parser.feed(wire.subarray(edges[index], edge)).replies);
        expect(got).toEqual(expected);
        expect(parser.idle).toBe(true);
      }),
    );
  });
  const faults: readonly [text: string, problem: string][] = [
    ['hello\r\n', 'syntax'],
    ['650 x\r\n', 'syntax'],
    ['250-a\r\n251 b\r\n', 'codeChanged'],
    ['250-a\r\n'.repeat(200), 'tooManyLines'],
    [`250 ${'a'.repeat(3000)}`, 'lineTooLong'],
  ];
  test.each(faults)('fault in %.20s', (text, problem) => {
    const parser = new ReplyParser();
    expect(parser.feed(Buffer.from(text))).toMatchObject({ ok: false, problem });
    expect(parser.feed(Buffer.from('250 ok\r\n'))).toMatchObject({ ok: false, problem, replies: [] });
  });
  test('replies before a fault are kept', () => {
    expect(new ReplyParser().feed(Buffer.from('250 a\r\nx\r\n')).replies).toHaveLength(1);
  });
  test('garbage never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => new ReplyParser().feed(Buffer.from(bytes)) !== null),
    );
  });
});

test('xtext round trips', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\p{Cc}\ufffd]/u.test(value));
  fc.assert(
    fc.property(text, (value) => {
      expect(encodeXtext(value)).toMatch(/^[!-~]*$/);
      expect(decodeXtext(encodeXtext(value))).toBe(value);
      expect(encodeUtf8AddressXtext(value)).toMatch(/^[!-~]*$/);
      expect(decodeUtf8AddressXtext(encodeUtf8AddressXtext(value))).toBe(value);
    }),
  );
});

test('enhanced codes', () => {
  expect(parseEnhancedCode('5.7.1 no')).toEqual({ code: '5.7.1', rest: 'no' });
  expect(parseEnhancedCode('3.7.1 no')).toBeNull();
  expect(parseEnhancedCode('5.7.1no')).toBeNull();
});
