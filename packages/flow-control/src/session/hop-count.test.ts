import { expect, it } from 'vitest';
import { countReceived } from './hop-count.js';

it.each([
  ['none', 'Subject: x\r\n\r\nReceived: in body\r\n', 0],
  ['first line', 'Received: a\r\n\r\n', 1],
  ['any case', 'RECEIVED: a\r\nreceived: b\r\nX-Received: c\r\nReceived-SPF: d\r\n\r\n', 2],
  ['folded lines are no fields', 'Received: a\r\n\tReceived: b\r\n\r\n', 1],
  ['empty', '', 0],
  ['cut in the name', 'Subject: x\r\nRecei', 0],
])('%s', (_name, text, count) => {
  expect(countReceived(Buffer.from(text))).toBe(count);
});
