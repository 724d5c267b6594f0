/**
 * The SMTP smuggling matrix (CERT VU#302671 and what was found since): everything that some server somewhere takes for the end of a message, followed
 * by a second transaction in the same bytes. Legal separators must stay inside one message, all others must have it refused.
 */
import type { Chance } from './random.js';

export interface Separator {
  readonly name: string;
  readonly bytes: Buffer;
  /** Content of one message by RFC 5321: it may be accepted, whole. */
  readonly legal: boolean;
}

const separator = (text: string, legal = false): Separator => ({
  name: JSON.stringify(text),
  bytes: Buffer.from(text, 'latin1'),
  legal,
});

export const separators: readonly [Separator, ...Separator[]] = [
  separator('\n.\n'),
  separator('\n.\r\n'),
  separator('\r\n.\n'),
  separator('\r.\r'),
  separator('\r.\r\n'),
  separator('\r\n.\r'),
  separator('\r.\n'),
  separator('\n.\r'),
  separator('\r\n.\r\r\n'),
  separator('\r\r\n.\r\r\n'),
  separator('\r\n\0.\r\n'),
  separator('\r\n.\0\r\n'),
  separator('\r\n\0.\0\r\n'),
  separator('\0\r\n.\r\0\n'),
  separator('\n..\n'),
  separator('\r\n..\n'),
  separator('\n..\r\n'),
  separator('\r..\r'),
  separator('\n\n.\n\n'),
  separator('\r\n..\r\n', true),
  separator('\r\n .\r\n', true),
  separator('\r\n. \r\n', true),
  separator('\r\n.\t\r\n', true),
  separator('\x85.\x85', true),
  separator('\r\n\u00a0.\r\n', true),
  separator('\x0b.\x0b', true),
  separator('\x0c.\x0c', true),
];

/** On the wire, from the first octet after 354 up to the true end of data. */
export function smuggledData(chance: Chance, token: string, chosen: Separator): Buffer {
  const first = chance.pick(['', '..\r\n', '..\r\n..\r\n', '...\r\n']);
  const hidden = chance.pick([
    'MAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nX-Smuggled: 1\r\n\r\nowned\r\n',
    'mail FROM:<smuggled@evil.test>\r\nrcpt TO:<smuggled@fuzz.test>\r\nDATA\r\n\r\nowned\r\n',
    'RSET\r\nMAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nowned\r\n',
    'EHLO smuggled\r\nMAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nowned\r\n',
  ]);
  return Buffer.concat([
    Buffer.from(`X-Fuzz: ${token}\r\nSubject: smuggling\r\n\r\n${first}lorem ipsum`),
    chosen.bytes,
    Buffer.from(`${hidden}.\r\n`),
  ]);
}

/** What a correct reader makes of those bytes: dots taken out, the end left off. */
export function contentOf(wire: Buffer): Buffer {
  const body = wire.subarray(0, wire.length - 3).toString('latin1');
  return Buffer.from(body.replaceAll('\r\n.', '\r\n'), 'latin1');
}
