/** Words before and behind a field: people read them where they belong, and what was there stays as it was. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeHeaderText } from './encoded-word.js';
import { applyHeaderEdits, type HeaderEdit } from './header-edit.js';

const tagged = (section: Buffer, before: string, behind = ''): Buffer =>
  applyHeaderEdits(section, [{ op: 'surround', name: 'subject', before, behind }]);
const section = (line: string): Buffer => Buffer.from(`From: a@b.test\r\n${line}\r\nTo: c@d.test\r\n\r\nbody`);
const subjectOf = (bytes: Buffer): string => {
  const [, line = ''] = /^Subject:[ \t]*((?:.*)(?:\r\n[ \t].*)*)$/im.exec(bytes.toString('utf8')) ?? [];
  return line.replace(/\r\n(?=[ \t])/g, '').replace(/\r$/, '');
};

const hello = '=?utf-8?B?R3LDvMOfZQ==?=';

test.each([
  ['Subject: Hello', '[EXTERNAL] ', '', '[EXTERNAL] Hello'],
  ['Subject: Hello', '[X]', '', '[X]Hello'],
  ['Subject: Hello', '', ' (external)', 'Hello (external)'],
  ['Subject: Hello', '[', ']', '[Hello]'],
  ['SUBJECT:Hello', '[X] ', '', '[X] Hello'],
  [`Subject: ${hello}`, '[EXTERNAL] ', '', `[EXTERNAL] ${hello}`],
  [`Subject: ${hello}`, '', ' (external)', `${hello} (external)`],
  ['Subject:', '[EXTERNAL] ', '', '[EXTERNAL]'],
  ['Subject: [EXTERNAL] Hello', '[EXTERNAL] ', '', '[EXTERNAL] Hello'],
  ['Subject: Hello (external)', '[X] ', ' (external)', '[X] Hello (external)'],
  ['Subject: Grüße', '[X] ', '', '[X] Grüße'],
])('%s with %j and %j as it is written', (line, before, behind, written) => {
  const made = tagged(section(line), before, behind);
  expect(subjectOf(made)).toBe(written);
  expect(made.toString('utf8')).toMatch(/^From: a@b\.test\r\nsubject: ?.*\r\nTo: c@d\.test\r\n\r\nbody$/i);
});

test.each([
  [`Subject: ${hello}`, '[X]', '', '[X]Grüße'],
  [`Subject: ${hello}`, '', '!', 'Grüße!'],
  [`Subject: ${hello} there`, 'Für ', '', 'Für Grüße there'],
  ['Subject: Hello there', 'Für ', '', 'Für Hello there'],
  ['Subject: Hello there', 'ä', '', 'äHello there'],
  ['Subject: Hello there', '', ' – für dich', 'Hello there – für dich'],
  ['Subject: Hello there', '', 'ö', 'Hello thereö'],
  [`Subject: Hello ${hello}`, '', 'ö', 'Hello Grüßeö'],
  ['Subject: Grüße', 'Für', '', 'FürGrüße'],
  ['Subject: a\r\n long one', 'Für ', ' ä', 'Für a long one ä'],
])('%s with %j and %j as it is read', (line, before, behind, read) => {
  const made = tagged(section(line), before, behind);
  expect(decodeHeaderText(subjectOf(made))).toBe(read);
  expect(tagged(made, before, behind).equals(made), 'put there once').toBe(true);
});

test('octets of no known charset stay; lines stay within their limits', () => {
  const raw = Buffer.concat([Buffer.from('Subject: '), Buffer.from([0xe4, 0xff, 0x20, 0xe4]), Buffer.from('\r\n\r\n')]);
  expect(tagged(raw, 'ä').includes(Buffer.from([0xe4, 0xff, 0x20, 0xe4]))).toBe(true);
  const long = tagged(section(`Subject: ${'x'.repeat(988)}`), '[EXTERNAL] ');
  expect(
    Math.max(
      ...long
        .toString('latin1')
        .split('\r\n')
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(998);
  expect(subjectOf(long).replaceAll(/\s/g, '')).toBe(`[EXTERNAL]${'x'.repeat(988)}`);
});

test('every field of the name, and none where there is none', () => {
  const two = tagged(Buffer.from('Subject: a\r\nsubject: b\r\n\r\n'), 'x ');
  expect(two.toString()).toBe('Subject: x a\r\nsubject: x b\r\n\r\n');
  expect(tagged(Buffer.from('From: a@b.test\r\n\r\n'), 'x ').toString()).toBe('From: a@b.test\r\n\r\n');
});

test('words that would begin a line are refused', () => {
  const edit: HeaderEdit = { op: 'surround', name: 'Subject', before: 'a\r\nX-Forged: yes', behind: '' };
  expect(() => applyHeaderEdits(section('Subject: a'), [edit])).toThrow(/refused/);
});

test('whatever the octets, the section stays one section and its other fields stay', () => {
  const value = fc.array(fc.constantFrom(' ', 'a', '=?utf-8?Q?=C3=A4?=', '\r\n\tb', 'ö', '\u00ff', '=?', '\0'), {
    maxLength: 12,
  });
  const words = fc.constantFrom('', ' ', '[X] ', '[X]', 'ä', ' ä ', '=?');
  fc.assert(
    fc.property(value, words, words, (parts, before, behind) => {
      const bytes = Buffer.from(`Subject:${parts.join('')}z\r\nTo: c@d.test\r\n\r\nbody`, 'latin1');
      const made = tagged(bytes, before, behind).toString('latin1');
      expect(made.endsWith('\r\nTo: c@d.test\r\n\r\nbody')).toBe(true);
      expect(made.slice(0, -'To: c@d.test\r\n\r\nbody'.length)).toMatch(/^Subject:(?:[^\r\n]|\r\n[ \t])*\r\n$/);
    }),
  );
});
