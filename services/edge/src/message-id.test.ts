import { expect, it } from 'vitest';
import { messageIdOf } from './message-id.js';

it.each([
  ['none', 'Subject: x\r\n\r\nMessage-ID: <in@body>\r\n', ''],
  ['first field', 'Message-ID: <a@b.test>\r\n\r\n', 'a@b.test'],
  ['any case, among others', 'Mime-Version: 1.0\r\nMESSAGE-id:<a@b.test>\r\nX: y\r\n\r\n', 'a@b.test'],
  ['folded', 'Subject: x\r\nMessage-ID:\r\n <a@b.test>\r\nX: y\r\n\r\n', 'a@b.test'],
  ['two: the first', 'Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n', 'a@b'],
  ['a folded line is no field', 'X: y\r\n\tMessage-ID: <a@b>\r\n\r\n', ''],
  ['a longer name', 'Message-ID-Hash: x\r\n\r\n', ''],
  ['not one', 'Message-ID: whatever it is\r\n\r\n', 'whatever it is'],
  ['empty field', 'Message-ID:\r\nSubject: x\r\n\r\n', ''],
  ['cut in the name', 'X: y\r\nMessage-', ''],
  ['cut in the value', 'Message-ID: <a@', '<a@'],
  ['too long', `Message-ID: <${'a'.repeat(5_000)}>\r\n\r\n`, `<${'a'.repeat(499)}`],
  ['NUL', 'Message-ID: <a\0b@c>\r\n\r\n', 'a b@c'],
])('%s', (_name, text, id) => {
  expect(messageIdOf(Buffer.from(text))).toBe(id);
});
