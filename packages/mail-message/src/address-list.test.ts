import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddressList } from './address-list.js';
import { decodeHeaderText, encodeHeaderText } from './encoded-word.js';
import { headerFromDomains } from './header-from.js';
import { readHeaderSection } from './header-section.js';

describe('lists that are fine', () => {
  const cases: readonly [value: string, mailboxes: readonly [name: string, localPart: string, domain: string][]][] = [
    ['', []],
    ['a@b.test', [['', 'a', 'b.test']]],
    ['<a@b.test>', [['', 'a', 'b.test']]],
    [
      'Ann Lee <a.b@c.test>, d@e.test',
      [
        ['Ann Lee', 'a.b', 'c.test'],
        ['', 'd', 'e.test'],
      ],
    ],
    ['"x@y.test" <a@b.test>', [['x@y.test', 'a', 'b.test']]],
    ['"a, b" <a@b.test>', [['a, b', 'a', 'b.test']]],
    ['"a b"@c.test', [['', 'a b', 'c.test']]],
    ['a@b.test (Ann (nested \\) ) Lee)', [['Ann (nested ) ) Lee', 'a', 'b.test']]],
    ['Joe Q. Public <j@b.test>', [['Joe Q. Public', 'j', 'b.test']]],
    [
      'friends: a@b.test, c@d.test;, e@f.test',
      [
        ['', 'a', 'b.test'],
        ['', 'c', 'd.test'],
        ['', 'e', 'f.test'],
      ],
    ],
    ['undisclosed-recipients:;', []],
    ['<@x.test,@y.test:a@b.test>', [['', 'a', 'b.test']]],
    ['a@[192.0.2.1]', [['', 'a', '[192.0.2.1]']]],
    ['=?utf-8?Q?J=C3=BCrgen?= <a@b.test>', [['Jürgen', 'a', 'b.test']]],
    ['büro@bücher.test', [['', 'büro', 'bücher.test']]],
    ['a @ b . test', [['', 'a', 'b.test']]],
  ];
  test.each(cases)('%s', (value, mailboxes) => {
    const list = parseAddressList(value);
    expect(list.mailboxes.map(({ displayName, localPart, domain }) => [displayName, localPart, domain])).toEqual(
      mailboxes,
    );
    expect(list).toMatchObject({ malformed: false, truncated: false });
  });
});

test.each([
  ['a@b.test <c@d.test>', 'd.test'],
  ['Name', null],
  ['<a@b.test', 'b.test'],
  ['a@b.test>', null],
  ['"open <a@b.test>', null],
  ['a@b@c.test', null],
  ['<a@b.test> x', 'b.test'],
  ['a b@c.test', null],
  ['a@b.test;', 'b.test'],
])('%s is malformed', (value, domain) => {
  const list = parseAddressList(value);
  expect(list.malformed).toBe(true);
  expect(list.mailboxes[0]?.domain ?? null).toBe(domain);
});

test('bounded: many addresses, deep comments, long garbage', () => {
  expect(parseAddressList('a@b.test,'.repeat(2000))).toMatchObject({ truncated: true });
  expect(parseAddressList('('.repeat(60_000)).malformed).toBe(true);
  expect(parseAddressList('"'.repeat(60_000)).mailboxes).toEqual([]);
  const piece = fc.constantFrom(
    '<',
    '>',
    '@',
    ',',
    ';',
    ':',
    '.',
    '"',
    '(',
    ')',
    '[',
    ']',
    '\\',
    'a',
    ' ',
    '=?utf-8?Q?a?=',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (parts) => parseAddressList(parts.join('')) !== null),
    { numRuns: 2000 },
  );
});

test('headerFromDomains', () => {
  const from = (text: string): object => headerFromDomains(readHeaderSection(Buffer.from(`${text}\r\n\r\n`)).fields);
  expect(from('From: A <a@BÜCHER.test>')).toMatchObject({
    fieldCount: 1,
    domains: ['xn--bcher-kva.test'],
    malformed: false,
  });
  expect(from('From: a@b.test\r\nfrom: c@d.test, e@B.test')).toMatchObject({
    fieldCount: 2,
    domains: ['b.test', 'd.test'],
  });
  expect(from('To: a@b.test')).toMatchObject({ fieldCount: 0, domains: [] });
  expect(from('From: a@-bad-')).toMatchObject({ domains: [], malformed: true });
});

test.each([
  ['plain', 'plain'],
  ['=?utf-8?B?w7w=?= =?utf-8?q?=C3=BC_x?= y', 'üü x y'],
  ['=?iso-8859-1?Q?a=FC?=', 'aü'],
  ['=?unknown-charset?Q?a?= b', '=?unknown-charset?Q?a?= b'],
  ['=?utf-8*en?Q?a?=', 'a'],
  ['=?utf-8?Q?open', '=?utf-8?Q?open'],
])('encoded words: %s', (text, expected) => {
  expect(decodeHeaderText(text)).toBe(expected);
});

test.each(['plain', 'Grüße', `${'Grüße aus Köln, '.repeat(20)}Ende`, '\u{1f600}'.repeat(50)])(
  '%s in encoded words',
  (text) => {
    const encoded = encodeHeaderText(text);
    expect(encoded).toMatch(/^[ -~]*$/);
    expect(encoded.split(' ').every((word) => word.length <= 75)).toBe(true);
    expect(decodeHeaderText(encoded)).toBe(text);
  },
);
