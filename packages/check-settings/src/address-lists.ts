/**
 * Settings of block and allow lists of one scope. An entry is an address `user@domain`, a domain (`@domain`: it alone; `domain`: and all below
 * it), a network, or a pattern `/…/` in linear-time syntax (RE2) matched against the whole address without regard to case.
 */
import { parseCidr, s } from '@postern/config';
import { domainToAscii, parseAddress } from '@postern/smtp-core';
import { RE2JS } from 're2js';
import { common } from './base.js';

/** In A-labels or in U-labels. The last label of a name is never a number: what ends in one is an address gone wrong. */
function isDomainEntry(text: string): boolean {
  const name = text.startsWith('@') ? text.slice(1) : text;
  return domainToAscii(name) !== null && !/(^|\.)\d+$/.test(name);
}

function isPattern(text: string): boolean {
  try {
    RE2JS.compile(text.slice(1, -1));
    return true;
  } catch {
    return false;
  }
}

export function isListEntry(text: string): boolean {
  if (text.length > 2 && text.startsWith('/') && text.endsWith('/')) return isPattern(text);
  if (parseCidr(text) !== undefined) return true;
  const at = text.lastIndexOf('@');
  if (at <= 0) return isDomainEntry(text);
  // A star is a letter like others in an address, and nobody's: a domain is written without one.
  if (text.startsWith('*@')) return false;
  return parseAddress(text, { smtputf8: true, lenient: true }).ok && isDomainEntry(text.slice(at));
}

const entries = s.list(
  s.string({ minLength: 1, maxLength: 400 }).check('an address, a domain, a network, or a pattern /…/', isListEntry),
  { max: 10_000 },
);

export const lists = s.object({
  ...common({
    what: 'senders and clients are looked up in block and allow lists',
    enabled: true,
    onFail: 'reject',
    timeout: '1s',
  }),
  block: entries.default([]).doc('Refused. Matched against client address, reverse-path and From.'),
  allow: entries
    .default([])
    .doc('Spared the consequences of checks of client, sender and content; never those of authentication or viruses.'),
});
