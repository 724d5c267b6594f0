/** Whatever name some mail program may show of an attachment is told to rules, wherever and in whatever way it is written; so are the parts within encoded ones. */
import { systemClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { expect, test } from 'vitest';
import { ContentReader } from './content-reader.js';
import { MessageContent } from './message-content.js';

const context = {
  resolver: createZone({}),
  clock: systemClock,
  dkimTimeoutMs: 1_000,
  ...{ wantsDkim: false, wantsDomainKeys: false, wantsArc: false, wantsParts: true },
  dkim: { maxSignatures: 10, minRsaBits: 1_024, maxRsaBits: 4_096 },
};
const crlf = (text: string): Buffer => Buffer.from(text.replaceAll('\n', '\r\n'));
const mixed = (part: string): string =>
  `From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n${part}\n--b--\n`;
const base64 = (text: string): string =>
  crlf(text)
    .toString('base64')
    .replaceAll(/.{1,76}/g, '$&\n');
const quoted = (text: string): string => text.replaceAll('=', '=3D').replaceAll('exe', 'e=\nxe');

const bad = 'Content-Disposition: attachment; filename=a.exe\n\nMZ';
const good = 'Content-Disposition: attachment; filename=ok.txt\n';
const nested = `Subject: inner\nContent-Type: multipart/mixed; boundary=i\n\n--i\n${bad}\n--i--\n`;
const wrapped = (type: string, encoding: string, body: string): string =>
  `Content-Type: ${type}\nContent-Transfer-Encoding: ${encoding}\n\n${body}`;

function deep(levels: number): string {
  let inner = nested;
  for (let at = 0; at < levels; at += 1) inner = wrapped('message/rfc822', 'base64', base64(inner));
  return inner;
}

test.each<[what: string, message: string]>([
  ['plainly', mixed(bad)],
  ['in a second Content-Disposition', mixed(`${good}${bad}`)],
  ['in a first one', mixed(`Content-Disposition: attachment; filename=a.exe\n${good}\nMZ`)],
  ['as extended beside plain', mixed("Content-Disposition: attachment; filename=ok.txt; filename*=UTF-8''a.exe\n\nMZ")],
  ['as plain beside extended', mixed("Content-Disposition: attachment; filename*=UTF-8''ok.txt; filename=a.exe\n\nMZ")],
  ['in continuations', mixed('Content-Disposition: attachment;\n filename*0=a.e;\n filename*1=xe\n\nMZ')],
  ['in name= beside filename=', mixed(`Content-Type: application/x; name=a.exe\n${good}\nMZ`)],
  [
    'in a second Content-Type',
    mixed(`Content-Type: application/x\nContent-Type: application/x; name=a.exe\n${good}\nMZ`),
  ],
  ['in an encoded word', mixed('Content-Disposition: attachment; filename="=?utf-8?B?YS5leGU=?="\n\nMZ')],
  ['in a message in base64', mixed(wrapped('message/rfc822', 'base64', base64(nested)))],
  ['in a message in quoted-printable', mixed(wrapped('message/rfc822', 'quoted-printable', quoted(nested)))],
  [
    'in a message with two encodings',
    mixed(`Content-Transfer-Encoding: 7bit\n${wrapped('message/rfc822', 'base64', base64(nested))}`),
  ],
  ['the same, as it stands', mixed(`Content-Transfer-Encoding: base64\n${wrapped('message/rfc822', '7bit', nested)}`)],
  ['in a whole message in base64', `From: a@b.test\n${wrapped('message/rfc822', 'base64', base64(nested))}`],
  ['in a multipart in base64', mixed(wrapped('multipart/mixed; boundary=i', 'base64', base64(`--i\n${bad}\n--i--\n`)))],
  ['five deep', mixed(deep(5))],
  ['behind another boundary', mixed(`Content-Type: multipart/mixed; boundary=k; boundary=i\n\n--i\n${bad}\n--i--\n`)],
  [
    'behind the boundary of a second field',
    mixed(`Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=i\n\n--i\n${bad}`),
  ],
  [
    'behind a boundary that looks encoded',
    mixed(`Content-Type: multipart/mixed; boundary="=?utf-8?Q?i?="\n\n--=?utf-8?Q?i?=\n${bad}`),
  ],
  [
    'behind a boundary that is not ASCII',
    mixed(`Content-Type: multipart/mixed; boundary="\u00fc"\n\n--\u00fc\n${bad}`),
  ],
  ['behind a boundary that ends in a space', mixed(`Content-Type: multipart/mixed; boundary="i "\n\n--i\n${bad}`)],
  ['behind one that begins with one', mixed(`Content-Type: multipart/mixed; boundary=" i"\n\n--i\n${bad}`)],
  ['behind a boundary of a space', mixed(`Content-Type: multipart/mixed; boundary=" "\n\n--\n${bad}`)],
  ['behind one whose space is there', mixed(`Content-Type: multipart/mixed; boundary=" i"\n\n-- i\n${bad}`)],
  ['in a message of a digest', mixed(`Content-Type: multipart/digest; boundary=i\n\n--i\n\nSubject: i\n${bad}\n--i--`)],
  [
    'in an encoded message of a digest',
    mixed(
      `Content-Type: multipart/digest; boundary=i\n\n--i\nContent-Transfer-Encoding: base64\n\n${base64(nested)}--i--`,
    ),
  ],
  [
    'in an encoded digest',
    mixed(wrapped('multipart/digest; boundary=i', 'base64', base64(`--i\n\nSubject: i\n${bad}\n--i--\n`))),
  ],
  [
    'in a digest by its second field',
    mixed(`Content-Type: multipart/mixed; boundary=i\nContent-Type: multipart/digest; boundary=i\n\n--i\n\n${bad}`),
  ],
  ['in a digest, its type empty', mixed(`Content-Type: multipart/digest; boundary=i\n\n--i\nContent-Type:\n\n${bad}`)],
  ['in UTF-7', mixed('Content-Disposition: attachment; filename="=?utf-7?Q?a+AC4-exe?="\n\nMZ')],
  ['in UTF-7 in base64', mixed('Content-Disposition: attachment; filename="=?UTF-7?B?YStBQzQtZXhl?="\n\nMZ')],
  ['in extended UTF-7', mixed("Content-Disposition: attachment; filename*=unicode-1-1-utf-7''a%2BAC4-exe\n\nMZ")],
])('a name %s is seen', (_what, message) => {
  const bytes = crlf(message);
  const whole = MessageContent.inline(bytes, context).mime;
  expect(whole?.attachments).toContain('a.exe');
  expect(whole?.incomplete).toBeUndefined();
  for (const size of [1, 7, 4_096]) {
    const reader = new ContentReader(context);
    for (let at = 0; at < bytes.length; at += size) reader.write(bytes.subarray(at, at + size));
    expect(reader.end().mime).toEqual(whole);
  }
});

test('what follows an encoded message belongs to the message around it', () => {
  const { mime } = MessageContent.inline(
    crlf(mixed(`${wrapped('message/rfc822', 'base64', base64(nested))}\n--b\n${good}\nx`)),
    context,
  );
  expect(mime).toMatchObject({ parts: 6, attachments: ['a.exe', 'ok.txt'] });
});

test.each<[what: string, message: string, incomplete: string]>([
  ['six encoded messages in each other', mixed(deep(6)), 'depth'],
  ['eleven fields of one name', mixed(good.repeat(11)), 'part header'],
  ['a field of 9 KiB', mixed(`Content-Disposition: attachment; x="${'x'.repeat(9_000)}"\n\nx`), 'part header'],
  [
    'a thousand parameters',
    mixed(`Content-Disposition: attachment${'; x=1'.repeat(1_000)}; filename=a.exe\n\nx`),
    'part header',
  ],
  ['1,001 fields of a part', mixed(`${'X: y\n'.repeat(1_001)}${bad}`), 'part header'],
  [
    '60 names of a part',
    mixed(`Content-Disposition: attachment${Array.from({ length: 60 }, (_, at) => `; filename=${at}`).join('')}\n\nx`),
    'part header',
  ],
  [
    '2,400 names',
    mixed(
      Array.from(
        { length: 60 },
        (_, part) =>
          `Content-Disposition: attachment${Array.from({ length: 40 }, (_n, at) => `; filename=${part}-${at}`).join('')}\n\nx\n--b\n`,
      ).join(''),
    ),
    'names',
  ],
  [
    '10,000 encoded words',
    mixed(
      `Content-Disposition: attachment; filename="${' =?utf-16?B?AGE=?= =?x?Q?b?='.repeat(200)}"\n\nx\n--b\n`.repeat(
        25,
      ),
    ),
    'names',
  ],
  [
    '600 KiB of fields with names',
    mixed(`Content-Disposition: attachment; filename="${'x'.repeat(6_000)}"\n\nx\n--b\n`.repeat(100)),
    'names',
  ],
])('%s are more than is read', (_what, message, incomplete) => {
  expect(MessageContent.inline(crlf(message), context)).toMatchObject({ incomplete });
});

test('a message within a message of a digest is text again', () => {
  const message = `Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: i\n\nhttp://one.test/\n--b--\n`;
  const content = MessageContent.inline(crlf(message), context);
  expect(content.mime?.types).toEqual(['multipart/digest', 'message/rfc822', 'text/plain']);
  expect([...content.hosts()]).toEqual(['one.test']);
});

test('behind the bound nothing more is read', () => {
  const content = MessageContent.inline(crlf(mixed(`${good.repeat(11)}\n\nx\n--b\n\nhttp://one.test/`)), context);
  expect(content.incomplete).toBe('part header');
  expect([...content.hosts()]).toEqual(['b.test']);
  expect(content.mime?.parts).toBe(3);
});
