import { expect, test } from 'vitest';
import { SentBook, strayOctet } from './sent-book.js';

const data = Buffer.from('X-Fuzz: a-1\r\n\r\nbody\r\n');
const arrival = (bytes: Buffer, recipients = ['r@fuzz.test'], reversePath = 's@sender.test') => ({
  data: Buffer.concat([Buffer.from('Received: x\r\n'), bytes]),
  recipients,
  reversePath,
});

function book(code: number): SentBook {
  const made = new SentBook();
  made.send('a-1', ['r@fuzz.test'], data);
  made.settle('a-1', code);
  return made;
}

test('a stray octet is found, a whole line end is none', () => {
  expect(['a\r\nb\r\n', 'a\nb', 'a\rb', 'a\0', '\r', '\r\r\n'].map((text) => strayOctet(Buffer.from(text)))).toEqual([
    -1, 1, 1, 1, 0, 0,
  ]);
});

test('what arrives as sent is no problem, and what is accepted must arrive', () => {
  const sent = book(250);
  expect(sent.missing()).toEqual(['a-1']);
  sent.arrive(arrival(data));
  expect([sent.missing(), sent.problems]).toEqual([[], []]);
});

test.each([
  ['a second copy', 250, (sent: SentBook) => [sent.arrive(arrival(data)), sent.arrive(arrival(data))]],
  ['a refused message', 550, (sent: SentBook) => sent.arrive(arrival(data))],
  ['other bytes', 250, (sent: SentBook) => sent.arrive(arrival(Buffer.from('X-Fuzz: a-1\r\n\r\nbodz\r\n')))],
  ['octet 10', 250, (sent: SentBook) => sent.arrive(arrival(Buffer.from('a\nb')))],
  ['a smuggled envelope', 250, (sent: SentBook) => sent.arrive(arrival(data, ['r@fuzz.test'], 'smuggled@evil.test'))],
])('%s is a problem', (what, code, act) => {
  const sent = book(code);
  act(sent);
  expect(sent.problems.join()).toContain(what);
});
