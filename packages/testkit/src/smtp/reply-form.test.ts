import { describe, expect, it } from 'vitest';
import { malformedReply } from './reply-form.js';

const id = '(01M7ZDR9MFJA82NDNR7VM09Q8Y)';
const ehlo = '250-mx.test\r\n250-SIZE 10\r\n250 ENHANCEDSTATUSCODES';

describe('form of replies', () => {
  it.each([
    [
      'a session',
      ['220 mx.test ESMTP', ehlo, '250 2.1.0 sender OK', '354 go on', `550 5.1.1 no ${id}`, '221 2.0.0 bye'],
    ],
    ['HELO', ['220 mx.test ESMTP', '250 mx.test', '250 2.1.0 sender OK']],
    ['challenges', ['220 mx.test ESMTP', ehlo, '334', '334 VXNlcm5hbWU6', '235 2.7.0 in']],
    ['several lines', ['220 mx.test', ehlo, `550-5.7.1 one\r\n550 5.7.1 two ${id}`]],
    ['no codes offered', ['220 mx.test', '250-mx.test\r\n250 SIZE 10', '250 sender OK', `550 no ${id}`]],
  ])('passes %s', (_name, said) => {
    expect(malformedReply(said)).toBeUndefined();
  });

  it.each([
    ['no enhanced code', [ehlo, '250 sender OK'], /^no enhanced code/],
    ['a code of another class', [ehlo, `550 4.1.1 no ${id}`], /another class/],
    ['a code where none may stand', [ehlo, '354 2.0.0 go on'], /none may stand/],
    ['a code that was not offered', ['250-mx.test\r\n250 SIZE 10', '250 2.1.0 OK'], /none may stand/],
    ['codes now and then', ['220 mx.test', '250 mx.test', '250 2.1.0 OK', '250 OK'], /^no enhanced code/],
    ['no session id', [ehlo, '550 5.1.1 no'], /^no session id/],
    ['lines of different codes', [ehlo, `550-5.7.1 one\r\n551 5.7.1 two ${id}`], /^codes differ/],
    ['a last line with a hyphen', [ehlo, `550-5.7.1 one ${id}`], /^the last line/],
    ['an enhanced code on the first line alone', [ehlo, `550-5.7.1 one\r\n550 two ${id}`], /^no enhanced code/],
    ['an endless line', [ehlo, `550 5.7.1 ${'x'.repeat(600)} ${id}`], /too long/],
    ['no reply', [ehlo, 'hello'], /^no reply code/],
  ])('finds %s', (_name, said, fault) => {
    expect(malformedReply(said)).toMatch(fault);
  });
});
