/** A link that a mail program would follow is found however its text is written: charsets, transfer encodings, references, broken lines. */
import { expect, test } from 'vitest';
import { LinkReader } from './link-reader.js';

const be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const le = (text: string): Buffer => Buffer.from(text, 'utf16le');
const lines = (octets: Buffer, width: number): string =>
  octets.toString('base64').replaceAll(new RegExp(`.{${width}}`, 'g'), '$&\r\n');
const html = 'Look:\r\n<a href="http://evil.test/x">here</a>\r\n';
const idn = 'http://böse.test/\r\n';

function hostsOf(octets: Buffer | string, encoding = '', charset = ''): readonly string[] {
  const reader = new LinkReader();
  const text = Buffer.from(octets).toString('latin1');
  for (const line of text.split(/(?<=\n)/))
    reader.read(Buffer.from(line, 'latin1'), { encodings: [encoding], charset });
  reader.finish();
  return [...reader.hosts];
}

test.each<[what: string, octets: Buffer | string, encoding: string, charset: string]>([
  ['UTF-16LE in base64', lines(le(html), 76), 'base64', 'utf-16le'],
  ['UTF-16BE in base64', lines(be(html), 76), 'base64', 'utf-16be'],
  ['UTF-16 of no order', lines(le(html), 76), 'base64', 'utf-16'],
  ['UTF-16 of no order, big', lines(be(html), 76), 'base64', 'utf-16'],
  ['UTF-16 with a mark and no charset', lines(le(`\ufeff${html}`), 76), 'base64', ''],
  ['UTF-16 with a mark, big', lines(be(`\ufeff${html}`), 76), 'base64', ''],
  ['UTF-16 whose charset says UTF-8', lines(le(html), 76), 'base64', 'utf-8'],
  ['UTF-16 whose charset has the other order', lines(le(html), 76), 'base64', 'utf-16be'],
  ['UTF-8 whose charset says UTF-16', html, '8bit', 'utf-16'],
  ['UTF-16 as it stands', le(html), '8bit', 'utf-16le'],
  ['UTF-16, big, as it stands', be(html), 'binary', 'utf-16'],
  [
    'UTF-16 in quoted-printable',
    html.replaceAll(/[^\r\n]/g, '$&=00').replaceAll('==00', '=3D=00'),
    'quoted-printable',
    'utf-16le',
  ],
  [
    'UTF-32',
    lines(Buffer.concat([...html].map((letter) => Buffer.from([0, 0, 0, letter.charCodeAt(0)]))), 76),
    'base64',
    'utf-32be',
  ],
  ['a charset nobody knows', html, '', 'x-unknown'],
  ['a charset that is not decoded', html, '', 'iso-2022-kr'],
  ['a soft break within the host', html.replace('=', '=3D').replace('evil', 'ev=\r\nil'), 'quoted-printable', ''],
  [
    'a soft break with white space behind it',
    html.replace('=', '=3D').replace('evil', 'ev= \t\r\nil'),
    'quoted-printable',
    '',
  ],
  ['soft breaks everywhere', html.replace('=', '=3D').replaceAll(/[a-z]/g, '$&=\r\n'), 'quoted-printable', ''],
  [
    'every letter quoted',
    html.replaceAll(/[^\r\n]/g, (letter) => `=${letter.charCodeAt(0).toString(16)}`),
    'quoted-printable',
    '',
  ],
  ['character references', html.replace('evil', '&#101;&#x76;&#0000105;l'), '', ''],
  ['references of a dot', html.replace('evil.', 'evil&period;'), '', ''],
  ['percent escapes', html.replace('evil', '%65vi%6C'), '', ''],
  ['references of percent escapes', html.replace('evil', '&#37;65vil'), '', ''],
  ['a tab within', html.replace('evil', 'ev\til'), '', ''],
  ['a line end within the value', html.replace('evil', 'ev\r\nil'), '', ''],
  ['line ends between the letters of the scheme', html.replace('http', 'h\r\nt\r\ntp'), '', ''],
  ['base64 with noise', lines(Buffer.from(html), 10).replaceAll('\r\n', '!\r\n -_ \r\n'), 'base64', ''],
  [
    'base64 in groups that are padded',
    [...html.matchAll(/[\s\S]{1,10}/g)].map(([text]) => Buffer.from(text).toString('base64')).join('\r\n'),
    'base64',
    '',
  ],
  ['line ends by the thousand within the value', html.replace('evil', `ev${'\r\n'.repeat(9_000)}il`), '', ''],
  ['a line end in front of the scheme, in quotes', 'x="foo\r\nhttp://evil.test/"', '', ''],
  ['a value begun far in front', `${'x'.repeat(16_300)} ${html.replace('evil', 'ev\r\nil')}`, '', ''],
  ['UTF-7', html.replace('evil.', '+AGUAdgBpAGw-.').replaceAll('"', '+ACI-'), '', 'utf-7'],
  [
    'UTF-7, a mark unclosed at a line end',
    `+\r\n${html.replace('<a', '+ADw-a').replace('//', '+AC8ALw-')}`,
    '',
    'UNICODE-1-1-UTF-7',
  ],
  ['UTF-7 in base64', lines(Buffer.from(html.replace('evil.', '+AGUAdgBpAGwALg-')), 10), 'base64', 'utf-7'],
  ['a long line without white space', `${'x'.repeat(9_000)}<a/href="http://evil.test/x">`, '', ''],
])('%s', (_what, octets, encoding, charset) => {
  expect(hostsOf(octets, encoding, charset)).toContain('evil.test');
});

test.each<[what: string, octets: Buffer, encoding: string, charset: string]>([
  ['UTF-16', le(idn), '8bit', 'utf-16le'],
  ['UTF-16BE with a mark', Buffer.from(lines(be(`\ufeff${idn}`), 70)), 'base64', ''],
  ['UTF-8 cut within a letter', Buffer.from(lines(Buffer.from(idn), 12)), 'base64', 'utf-8'],
  ['MacRoman', Buffer.from(idn.replace('ö', '\u009a'), 'latin1'), '8bit', 'macintosh'],
])('an international name in %s is read as its charset', (_what, octets, encoding, charset) => {
  expect(hostsOf(octets, encoding, charset)).toContain('xn--bse-sna.test');
});

test('a tab between two words of a text joins nothing', () => {
  expect(hostsOf('see http://one.test\tand www.two.test\r\nmore "http://three.test"\tx\r\n')).toEqual([
    'one.test',
    'www.two.test',
    'three.test',
  ]);
});
