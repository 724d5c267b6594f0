import { describe, expect, test } from 'vitest';
import { type MailParameterName, parseMailCommand } from './mail-command.js';
import { parseRcptCommand } from './rcpt-command.js';

describe('MAIL FROM', () => {
  test('every parameter', () => {
    const text =
      '<a@b.test> SIZE=1000 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ+2B314 AUTH=e+3Dmc2@example.com REQUIRETLS';
    expect(parseMailCommand(text)).toEqual({
      ok: true,
      command: {
        reversePath: { localPart: 'a', domain: 'b.test', address: 'a@b.test', raw: 'a@b.test' },
        size: 1000,
        body: '8BITMIME',
        smtputf8: true,
        requireTls: true,
        ret: 'HDRS',
        envelopeId: 'QQ+314',
        auth: 'e=mc2@example.com',
      },
    });
  });

  const accepted = [
    '<>',
    ' <a@b.test>',
    '<a@b.test>  SIZE=1 ',
    '<a@b.test> AUTH=<>',
    '<"a >"@b.test> SIZE=0',
    '<ü@b.test> SMTPUTF8',
  ];
  test.each(accepted)('takes %s', (text) => {
    expect(parseMailCommand(text).ok).toBe(true);
  });

  const refused: readonly [text: string, code: number, enhanced: string][] = [
    ['', 501, '5.1.7'],
    ['a@b.test', 501, '5.1.7'],
    ['<a@b.test>SIZE=1', 501, '5.5.4'],
    ['<a@b.test> SIZE', 501, '5.5.4'],
    ['<a@b.test> SIZE=', 501, '5.5.4'],
    ['<a@b.test> SIZE=x', 501, '5.5.4'],
    ['<a@b.test> SIZE=123456789012345678901', 501, '5.5.4'],
    ['<a@b.test> SIZE=1 SIZE=1', 501, '5.5.4'],
    ['<a@b.test> BODY=9BIT', 501, '5.5.4'],
    ['<a@b.test> RET=SOME', 501, '5.5.4'],
    ['<a@b.test> SMTPUTF8=1', 501, '5.5.4'],
    ['<a@b.test> ENVID=+0D+0A', 501, '5.5.4'],
    ['<a@b.test> ENVID=+2b+', 501, '5.5.4'],
    [`<a@b.test> ENVID=${'a'.repeat(101)}`, 501, '5.5.4'],
    ['<a@b.test> AUTH=nobody', 501, '5.5.4'],
    ['<a@b.test> HOLDFOR=99', 555, '5.5.4'],
    ['<a@b.test> constructor=1', 555, '5.5.4'],
    ['<ü@b.test>', 553, '5.6.7'],
    [`<a@b.test>${' X=1'.repeat(40)}`, 501, '5.5.4'],
  ];
  test.each(refused)('refuses %s', (text, code, enhanced) => {
    expect(parseMailCommand(text)).toMatchObject({ ok: false, reply: { code, enhanced } });
  });

  test('a parameter of an extension that is not offered is unknown', () => {
    const offered = new Set<MailParameterName>(['SIZE']);
    expect(parseMailCommand('<a@b.test> SIZE=1', { offered }).ok).toBe(true);
    expect(parseMailCommand('<a@b.test> RET=FULL', { offered })).toMatchObject({ reply: { code: 555 } });
  });
});

describe('RCPT TO', () => {
  test('every parameter', () => {
    expect(parseRcptCommand('<a@b.test> NOTIFY=success,FAILURE ORCPT=rfc822;Bob+2BA@ivory.test')).toMatchObject({
      ok: true,
      command: {
        notify: ['SUCCESS', 'FAILURE'],
        originalRecipient: { addressType: 'rfc822', address: 'Bob+A@ivory.test', raw: 'rfc822;Bob+2BA@ivory.test' },
      },
    });
    expect(parseRcptCommand('<a@b.test> NOTIFY=NEVER')).toMatchObject({
      command: { notify: [], originalRecipient: null },
    });
    expect(parseRcptCommand('<postmaster>')).toMatchObject({ command: { forwardPath: { domain: '' }, notify: null } });
    expect(parseRcptCommand('<a@b.test> ORCPT=utf-8;b\\x{FC}ro@b.test')).toMatchObject({
      command: { originalRecipient: { addressType: 'utf-8', address: 'büro@b.test' } },
    });
  });

  const refused: readonly [text: string, code: number][] = [
    ['<>', 501],
    ['<a@b.test> NOTIFY=', 501],
    ['<a@b.test> NOTIFY=NEVER,SUCCESS', 501],
    ['<a@b.test> NOTIFY=SUCCESS,SUCCESS', 501],
    ['<a@b.test> NOTIFY=SOMETIMES', 501],
    ['<a@b.test> ORCPT=rfc822', 501],
    ['<a@b.test> ORCPT=rfc822;a+zz', 501],
    ['<a@b.test> ORCPT=utf-8;a\\x{D800}', 501],
    ['<a@b.test> ORCPT=utf-8;ü@b.test', 501],
    ['<a@b.test> ORCPT=rfc822;a ORCPT=rfc822;a', 501],
    ['<a@b.test> SIZE=1', 555],
    ['<ü@b.test>', 553],
  ];
  test.each(refused)('refuses %s', (text, code) => {
    expect(parseRcptCommand(text)).toMatchObject({ ok: false, reply: { code } });
  });

  test('UTF-8 inside an SMTPUTF8 transaction', () => {
    expect(parseRcptCommand('<ü@b.test> ORCPT=utf-8;ü@b.test', { smtputf8: true }).ok).toBe(true);
  });
});
