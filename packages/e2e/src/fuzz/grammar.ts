/**
 * Sentences of SMTP and their distortions: commands right, wrong and absurd; messages right and wrong. Pure: everything comes from the
 * given chance. Recipients end in @fuzz.test (any local part is taken) or @strict.test (only `known` exists).
 */
import type { Chance } from './random.js';

const odd: readonly [string, ...string[]] = [
  '',
  ' ',
  '<',
  '>',
  '<>',
  '<<>>',
  '<@>',
  '<a@>',
  '<@b>',
  '<a@b@c>',
  '<a b@c.test>',
  '<"a b"@fuzz.test>',
  '<"a\\"b\\\\"@fuzz.test>',
  '<"unclosed@fuzz.test>',
  '<a@[127.0.0.1]>',
  '<a@[IPv6:::1]>',
  '<a@[999.1.1.1]>',
  '<a@[IPv6:zz]>',
  '<@relay.test,@other.test:a@fuzz.test>',
  '<a..b@fuzz.test>',
  '<.a@fuzz.test>',
  '<a.@fuzz.test>',
  '<a@fuzz..test>',
  '<a@-fuzz.test>',
  '<a@fuzz.test.>',
  '<__proto__@fuzz.test>',
  '<constructor@__proto__>',
  '<toString@hasOwnProperty>',
  '<ü@fuzz.test>',
  '<a@münchen.test>',
  '<a@xn--mnchen-3ya.test>',
  '<a@xn--\u00ff.test>',
  '<a\u2028b@fuzz.test>',
  '<a@fuzz.test> <b@fuzz.test>',
  '<postmaster>',
  '<POSTMASTER>',
  'a@fuzz.test',
  '<known@strict.test>',
  '<unknown@strict.test>',
  '<x@elsewhere.test>',
  '<x%elsewhere.test@fuzz.test>',
  '<x!y@fuzz.test>',
];
const parameters: readonly [string, ...string[]] = [
  'SIZE=1',
  'SIZE=',
  'SIZE=-1',
  'SIZE=1e9',
  'SIZE=99999999999999999999',
  'SIZE=999999999999999999999999',
  'SIZE=1 SIZE=1',
  'BODY=8BITMIME',
  'BODY=7BIT',
  'BODY=BINARYMIME',
  'BODY=',
  'SMTPUTF8',
  'SMTPUTF8=1',
  'RET=FULL',
  'RET=HDRS',
  'RET=WHAT',
  'ENVID=QQ314159',
  'ENVID=+0D+0Aevil',
  'ENVID=+ZZ',
  'NOTIFY=NEVER',
  'NOTIFY=SUCCESS,FAILURE,DELAY',
  'NOTIFY=NEVER,SUCCESS',
  'NOTIFY=',
  'ORCPT=rfc822;a@b.test',
  'ORCPT=rfc822;a+0D+0AX:@b',
  'ORCPT=;',
  'AUTH=<>',
  'AUTH=a+20b',
  'REQUIRETLS',
  'REQUIRETLS=1',
  'MT-PRIORITY=3',
  'XYZZY',
  'XYZZY=1',
  '=1',
  '__proto__=1',
  'constructor',
  '\t',
];
const helloNames: readonly [string, ...string[]] = [
  'client.test',
  '[127.0.0.1]',
  '[IPv6:::1]',
  'localhost',
  '',
  ' ',
  'two names',
  '_underscore',
  '__proto__',
  'ü',
  'evil\u2028name',
  '(comment)',
  '[',
  'x'.repeat(255),
  'x'.repeat(600),
];
const verbs: readonly [string, ...string[]] = [
  'NOOP',
  'RSET',
  'VRFY <known@strict.test>',
  'VRFY',
  'EXPN list',
  'HELP',
  'HELP MAIL',
  'ETRN fuzz.test',
  'TURN',
  'SEND FROM:<a@b.test>',
  'WIZ',
  'SHELL',
  'KILL',
  'DEBUG',
  // The chunk is part of the command (RFC 3030 §2): with the line end that follows these are 7 octets.
  'BDAT 7 LAST\r\nchunk',
  'BDAT x',
  'BDAT 0 LAST',
  'BDAT 99999999999999999999',
  'XCLIENT ADDR=10.0.0.1',
  'XFORWARD NAME=x',
  'CONNECT x:25',
  'QUIT x',
  'DATA x',
  'STARTTLS x',
  'RSET x',
  'NOOP x y z',
  '__proto__',
  'constructor x',
  'toString',
  '\u0130\u0131 x',
];

const caseOf = (chance: Chance, word: string): string =>
  chance.yes(0.8) ? word : [...word].map((letter) => (chance.yes(0.5) ? letter.toLowerCase() : letter)).join('');

const path = (chance: Chance): string =>
  chance.yes(0.5) ? `<${chance.word(chance.between(1, 12))}@fuzz.test>` : chance.pick(odd);

const several = (chance: Chance): string => {
  let text = '';
  for (let left = chance.pick([0, 0, 0, 1, 1, 2, 3, 8]); left > 0; left--) text += ` ${chance.pick(parameters)}`;
  return text;
};

export const hello = (chance: Chance): string => `${chance.pick(['EHLO', 'EHLO', 'HELO'])} ${chance.pick(helloNames)}`;
export const mail = (chance: Chance): string =>
  `${caseOf(chance, 'MAIL')} ${chance.pick(['FROM:', 'FROM:', 'FROM: ', 'from:', 'FROM :', 'FROM', 'TO:'])}${path(chance)}${several(chance)}`;
export const rcpt = (chance: Chance): string =>
  `${caseOf(chance, 'RCPT')} ${chance.pick(['TO:', 'TO:', 'TO: ', 'to:', 'TO :', 'TO', 'FROM:'])}${path(chance)}${several(chance)}`;

/** Any command line; DATA and STARTTLS are left to the sessions that know what follows. */
export function anyCommand(chance: Chance): string {
  return chance.pick([hello, mail, mail, rcpt, rcpt, () => chance.pick(verbs)])(chance);
}

/** Header and body of a legal message: CRLF, up to 998 octets a line, 8-bit and dots welcome. Ends in CRLF. */
export function legalMessage(chance: Chance, token: string): Buffer {
  const parts: Buffer[] = [Buffer.from(`X-Fuzz: ${token}\r\nFrom: <a@sender.test>\r\nSubject: ${chance.word(8)}\r\n`)];
  for (let left = chance.between(0, 4); left > 0; left--)
    parts.push(Buffer.from(`X-${chance.word(5)}: ${chance.word(30)}\r\n`));
  parts.push(Buffer.from('\r\n'));
  const kinds: readonly [string, ...string[]] = ['text', 'dots', 'eight', 'long', 'empty', 'from'];
  for (let left = chance.between(0, 30); left > 0; left--) {
    const kind = chance.pick(kinds);
    if (kind === 'text') parts.push(Buffer.from(`${chance.word(chance.between(1, 76))}\r\n`));
    else if (kind === 'dots')
      parts.push(Buffer.from(`${'.'.repeat(chance.between(1, 4))}${chance.word(chance.between(0, 3))}\r\n`));
    else if (kind === 'long') parts.push(Buffer.from(`${chance.word(998)}\r\n`));
    else if (kind === 'empty') parts.push(Buffer.from('\r\n'));
    else if (kind === 'from') parts.push(Buffer.from('From somebody\r\nMAIL FROM:<smuggled@evil.test>\r\n'));
    else
      parts.push(
        Buffer.from(`${'\u00fc\u4e2d\u{1f600}'.repeat(chance.between(1, 20))}\r\n`),
        Buffer.from([0xff, 0x80, 0x0d, 0x0a]),
      );
  }
  return Buffer.concat(parts);
}

/** Puts 1 to 5 things into a legal message that no line policy may let through; `body` without end of data. */
export function illegalMessage(chance: Chance, token: string): Buffer {
  let bytes = legalMessage(chance, token);
  const intruders: readonly [string, ...string[]] = ['\n', '\r', '\0', '\r\r\n', '\n\n', '\r\0\n', 'x\ny', 'x\ry'];
  for (let left = chance.between(1, 5); left > 0; left--) {
    // Behind the token's line, never between a CR and its LF.
    let at = chance.between(bytes.indexOf('\r\n') + 2, bytes.length - 2);
    if (bytes[at] === 0x0a) at--;
    bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(chance.pick(intruders), 'latin1'), bytes.subarray(at)]);
  }
  return bytes;
}

/** Flips, drops, doubles and inserts octets. */
export function mutate(chance: Chance, bytes: Buffer, times: number): Buffer {
  let result = bytes;
  for (let left = times; left > 0 && result.length > 0; left--) {
    const at = chance.between(0, result.length - 1);
    const before = result.subarray(0, at);
    const after = result.subarray(at + 1);
    const octet = Buffer.from([result[at] ?? 0]);
    const how = chance.pick(['flip', 'drop', 'insert', 'double', 'ends', 'cut']);
    if (how === 'flip')
      result = Buffer.concat([before, Buffer.from([(octet[0] ?? 0) ^ (1 << chance.between(0, 7))]), after]);
    else if (how === 'drop') result = Buffer.concat([before, after]);
    else if (how === 'insert') result = Buffer.concat([before, chance.bytes(chance.between(1, 9)), octet, after]);
    else if (how === 'double') result = Buffer.concat([result, result.subarray(at, at + chance.between(1, 200))]);
    else if (how === 'ends')
      result = Buffer.concat([before, Buffer.from(chance.pick(['\n', '\r', '\r\n', '\0', '.'])), after]);
    else result = result.subarray(0, Math.max(1, at));
  }
  return result;
}
