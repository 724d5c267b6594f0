import { expect, test } from 'vitest';
import { ReplyReader } from './reply-reader.js';

const id = '(01JDZ0000000000000000000AB)';
const read = (text: string): { codes: number[]; problems: string[] } => {
  const reader = new ReplyReader();
  const codes = reader.feed(Buffer.from(text, 'latin1')).map(({ code }) => code);
  reader.finish();
  return { codes, problems: reader.problems.map((problem) => problem.split(':')[0] ?? '') };
};

test.each([
  ['a greeting', '220 mail.test ESMTP\r\n', [220], []],
  ['EHLO', '250-mail.test\r\n250-PIPELINING\r\n250 SIZE 1\r\n', [250], []],
  ['a refusal', `550 5.1.1 no ${id}\r\n`, [550], []],
  ['bare LF', '250 2.0.0 OK\n', [250], ['a bare LF']],
  ['wrong class', `550 4.1.1 no ${id}\r\n`, [550], ['an enhanced code of another class']],
  ['no enhanced code', `550 no ${id}\r\n`, [550], ['no enhanced code']],
  ['no session id', '550 5.1.1 no\r\n', [550], ['no session id']],
  ['a control byte', '250 2.0.0 O\x07K\r\n', [250], ['a control byte']],
  ['too long', `250 2.0.0 ${'x'.repeat(520)}\r\n`, [250], ['a line of 532 octets']],
  ['two codes', `250-2.0.0 a\r\n251 2.0.0 b\r\n`, [251], ['code changed within a 250 reply']],
  ['cut', '250 2.0', [], ['cut in a line']],
  ['noise', 'hello\r\n', [], ['not a reply']],
] as const)('%s', (_name, text, codes, problems) => {
  expect(read(text)).toEqual({ codes, problems });
});
