import { expect, test } from 'vitest';
import { LinkReader } from './link-reader.js';

const padding = `${'x'.repeat(70)}\n`.repeat(30_000);
const many = Array.from({ length: 600 }, (_, at) => `http://d${at}.test/\n`).join('');
const wrapped = (text: string, width: number): string =>
  Buffer.from(text)
    .toString('base64')
    .replaceAll(new RegExp(`.{${width}}`, 'g'), '$&\n');

function read(text: string, encoding: string, onto = new LinkReader()): LinkReader {
  for (const line of text.split(/(?<=\n)/)) onto.read(Buffer.from(line), { encodings: [encoding], charset: '' });
  onto.end();
  return onto;
}

test.each([
  ['text', `${padding}http://evil.test/`, '7bit'],
  ['quoted-printable', `${padding}http://ev=\nil.test/`, 'quoted-printable'],
  ['base64', wrapped(`${padding}http://evil.test/ `, 76), 'base64'],
  ['base64 whose lines are no groups of four', wrapped(`${padding}http://evil.test/ `, 70), 'base64'],
])('a link behind 2 MiB of %s is read', (_what, text, encoding) => {
  const reader = read(text, encoding);
  reader.finish();
  expect([...reader.hosts]).toEqual(['evil.test']);
});

test('the end is read of whichever parts it is made of', () => {
  const reader = read(padding, '7bit');
  read(wrapped('http://one.test/', 10), 'base64', reader);
  read('http://two.test/', '7bit', reader);
  reader.finish();
  expect([...reader.hosts]).toEqual(['two.test', 'one.test']);
});

test('many links in front hide none at the end', () => {
  const reader = read(`${many}${padding}http://evil.test/`, '7bit');
  reader.finish();
  expect([...reader.hosts].slice(0, 3)).toEqual(['evil.test', 'd0.test', 'd1.test']);
});

test('what lies between beginning and end is not read', () => {
  const reader = read(`${padding}http://between.test/\n${padding}`, '7bit');
  reader.finish();
  expect(reader.hosts.size).toBe(0);
});
