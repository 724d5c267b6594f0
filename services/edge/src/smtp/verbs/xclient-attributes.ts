/**
 * The attributes of XCLIENT (Postfix XCLIENT_README): names are read in any case, values are xtext, `[UNAVAILABLE]` and `[TEMPUNAVAIL]` say nothing. One that
 * is unknown, given twice or cannot be read refuses the whole command and is named, since half of a client would be another client. Pure.
 */
import { isIP } from 'node:net';
import { addressText } from '@postern/flow-control';
import { decodeXtext } from '@postern/smtp-core';

const names = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'LOGIN', 'DESTADDR', 'DESTPORT'] as const;
type Name = (typeof names)[number];

export const xclientKeyword = `XCLIENT ${names.join(' ')}`;

/** What was said of each; undefined = nothing. */
export interface Attributes {
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly greeting: string | undefined;
  readonly login: string | undefined;
}

export type ReadAttributes =
  | { readonly kind: 'read'; readonly attributes: Attributes }
  /** '' = no attribute at all. */
  | { readonly kind: 'malformed'; readonly attribute: string };

const saysNothing = new Set(['[UNAVAILABLE]', '[TEMPUNAVAIL]', '']);
const longest = 255;

/** Undefined = cannot be read. */
function decoded(encoded: string): string | undefined {
  if (saysNothing.has(encoded.toUpperCase())) return '';
  const value = decodeXtext(encoded);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return value === null || value.length > longest || /[\x00-\x20\x7f]/.test(value) ? undefined : value;
}

function addressOf(text: string): string | undefined {
  const address = text.replace(/^IPV6:/i, '');
  return isIP(address) === 0 ? undefined : addressText(address);
}

function portOf(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

export function readAttributes(argument: string): ReadAttributes {
  const given = new Map<Name, string>();
  for (const word of argument.trim().split(/ +/)) {
    const [, written = '', encoded = ''] = /^([A-Za-z]{1,20})=(.*)$/.exec(word) ?? [];
    const attribute = written.toUpperCase();
    const name = names.find((one) => one === attribute);
    const value = decoded(encoded);
    if (name === undefined || value === undefined || given.has(name)) return { kind: 'malformed', attribute };
    given.set(name, value);
  }
  const said = (name: Name): string | undefined => given.get(name) || undefined;
  const read = <T>(name: Name, parse: (text: string) => T | undefined): T | undefined => {
    const text = said(name);
    return text === undefined ? undefined : parse(text);
  };
  const attributes: Attributes = {
    address: read('ADDR', addressOf),
    port: read('PORT', portOf),
    localAddress: read('DESTADDR', addressOf),
    localPort: read('DESTPORT', portOf),
    greeting: said('HELO'),
    login: said('LOGIN'),
  };
  const parsed = [
    ['ADDR', attributes.address],
    ['PORT', attributes.port],
    ['DESTADDR', attributes.localAddress],
    ['DESTPORT', attributes.localPort],
  ] as const;
  const unread = parsed.find(([name, value]) => value === undefined && said(name) !== undefined);
  return unread === undefined ? { kind: 'read', attributes } : { kind: 'malformed', attribute: unread[0] };
}
