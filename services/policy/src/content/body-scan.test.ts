/** A body looked into while it streams gives the same as one that came at once, however it is cut; memory is bounded by a line. */

import { systemClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { readMimeStructure } from '@postern/mail-message';
import { expect, test } from 'vitest';
import { ContentReader } from './content-reader.js';
import { type ContentContext, MessageContent } from './message-content.js';

const context: ContentContext = {
  resolver: createZone({}),
  clock: systemClock,
  dkimTimeoutMs: 1_000,
  wantsDkim: false,
  dkim: { maxSignatures: 10, minRsaBits: 1_024, maxRsaBits: 4_096 },
  wantsDomainKeys: false,
  wantsArc: false,
  wantsParts: true,
};
const base64 = `${'QUJD'.repeat(19)}\n`.repeat(2_000);
const messages: Readonly<Record<string, string>> = {
  plain: 'From: a@b.test\n\nhttp://link.test/\n',
  empty: 'From: a@b.test\n\n',
  nested: `From: a@b.test\nContent-Type: multipart/mixed; boundary="out er"\n\npreamble\n--out er\nContent-Type: multipart/alternative; boundary=in\n\n--in\n\ntext http://one.test\n--in\nContent-Type: text/html\n\n<a href="http://two.test/">x</a>\n--in--\n--out er\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64\n\n${base64}--out er--\nepilogue\n`,
  forwarded:
    'From: a@b.test\nContent-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: x\nContent-Type: text/html\n\nhttp://three.test\n--b--\n',
  unclosed:
    'From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png; name=p.png\n\nabc',
  'not a delimiter': 'From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n--bc\n--b c\n--b--\n',
};
const bytesOf = (name: string): Buffer => Buffer.from((messages[name] ?? '').replaceAll('\n', '\r\n'));

test.each(
  Object.keys(messages).flatMap((name) => [1, 2, 7, 61, 4_096, 1_000_000].map((size) => [name, size] as const)),
)('%s in pieces of %d', (name, size) => {
  const bytes = bytesOf(name);
  const reader = new ContentReader(context);
  for (let at = 0; at < bytes.length; at += size) reader.write(bytes.subarray(at, at + size));
  const streamed = reader.end();
  const whole = MessageContent.inline(bytes, context);
  expect(streamed.mime).toEqual(whole.mime);
  expect([...streamed.hosts()]).toEqual([...whole.hosts()]);
  expect(streamed.mime?.parts).toBe(readMimeStructure(bytes).parts.length);
  expect(streamed.mime?.types).toEqual([
    ...new Set(readMimeStructure(bytes).parts.map(({ contentType }) => contentType)),
  ]);
});

test('attachments of a message above the inline limit are known', () => {
  const { mime } = MessageContent.inline(bytesOf('nested'), context);
  expect(mime).toMatchObject({ parts: 5, attachments: ['a.pdf'] });
  expect(mime?.largestAttachment).toBeGreaterThan(110_000);
  expect(mime?.largestAttachment).toBeLessThan(116_000);
});

test.each([
  ['7bit', 'x'.repeat(30), 30],
  ['8bit', 'lines\nof it', 12],
  ['base64', Buffer.alloc(3_000_000).toString('base64').replaceAll(/.{76}/g, '$&\n'), 3_000_000],
  ['7bit', '', 0],
])(
  'an attachment in %s has its decoded size, the line end before the delimiter not counted (%#)',
  (encoding, body, size) => {
    const head = 'Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Disposition: attachment';
    const text = `${head}\nContent-Transfer-Encoding: ${encoding}\n\n${body}\n--b--\n`.replaceAll('\n', '\r\n');
    expect(MessageContent.inline(Buffer.from(text), context).mime?.largestAttachment).toBe(size);
  },
);

const part = '--b\n\nx\n';
const nested = (depth: number): string =>
  Array.from({ length: depth }, (_, at) => `Content-Type: multipart/mixed; boundary=d${at}\n\n--d${at}\n`).join('');
const mixed = 'Content-Type: multipart/mixed; boundary=b\n\n';

test.each<[what: string, text: string, incomplete: string | undefined]>([
  ['999 parts in a message', mixed + part.repeat(999), undefined],
  ['1,000 parts in a message', mixed + part.repeat(1_000), 'parts'],
  ['50 levels', `${nested(50)}\nx\n`, undefined],
  ['51 levels', `${nested(51)}\nx\n`, 'depth'],
  ['a part with 60 KiB of header', `${mixed}--b\nX: ${'x'.repeat(60_000)}\n\nx\n`, undefined],
  ['a part with 70 KiB of header', `${mixed}--b\n${`X: ${'x'.repeat(1_000)}\n`.repeat(70)}\nx\n`, 'part header'],
])('%s', (_what, text, incomplete) => {
  expect(MessageContent.inline(Buffer.from(text.replaceAll('\n', '\r\n')), context)).toMatchObject({ incomplete });
});

test('50 MiB without a line end, and 100,000 delimiters, pass in bounded time', () => {
  const reader = new ContentReader(context);
  reader.write(Buffer.from('From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n'));
  const block = Buffer.alloc(65_536, 0x61);
  for (let at = 0; at < 800; at++) reader.write(block);
  reader.write(Buffer.from('\r\n--b\r\n\r\n'.repeat(100_000)));
  expect(reader.end().mime?.parts).toBe(1_000);
});

test.each([
  ['dashes and spaces', `--${' '.repeat(8_000)}x\r\n`],
  ['empty lines', '\r\n'],
  ['lines of a value that never ends', '="h\r\na\r\na\r\n'],
])('10 MiB of %s are read in bounded time', (_what, line) => {
  const reader = new ContentReader(context);
  reader.write(Buffer.from('From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n'));
  const block = Buffer.from(line.repeat(Math.floor(1_048_576 / line.length)));
  for (let at = 0; at < 10; at++) reader.write(block);
  expect(reader.end().mime).toMatchObject({ parts: 2, incomplete: undefined });
});
