/**
 * Address lists of header fields: mailboxes, groups, comments, quoted strings, obsolete routes. RFC 5322 §3.4, §4.4.
 * One pass over tokens, never recursive, bounded in length and number. What cannot be read is left out and said so in
 * `malformed`: whoever judges a From field must know that somebody else may read it otherwise.
 */
import { decodeHeaderText } from './encoded-word.js';

export interface Mailbox {
  /** Decoded, '' where there is none. */
  readonly displayName: string;
  /** Without quotes. */
  readonly localPart: string;
  /** As written. */
  readonly domain: string;
}

export interface AddressList {
  readonly mailboxes: readonly Mailbox[];
  /** Names of groups, in order. */
  readonly groups: readonly string[];
  /** Something in the field is no address of RFC 5322. */
  readonly malformed: boolean;
  /** A limit was reached: there is more than was read. */
  readonly truncated: boolean;
  /** The text of what is neither `addr-spec` nor `name <addr-spec>`, quotes and comments opened: what else may be seen there. */
  readonly remains: readonly string[];
}

export interface AddressListLimits {
  readonly maxLength?: number;
  readonly maxMailboxes?: number;
}

type Kind = 'atom' | 'quoted' | 'literal' | 'special' | 'comment';

interface Token {
  readonly kind: Kind;
  readonly text: string;
}

const SPECIALS = '<>@,;:.';

/** Offset behind the closing character; backslash quotes; brackets nest only where `nest` says so. Or -1. */
function closeOf(text: string, start: number, close: string, nest: string): number {
  let depth = 1;
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\') at += 1;
    else if (character === close) {
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (character === nest) depth += 1;
  }
  return -1;
}

function unquote(text: string): string {
  return text.replace(/\\(.)/gs, '$1');
}

function enclosed(text: string, at: number): { readonly kind: Kind; readonly end: number } | null {
  switch (text.charAt(at)) {
    case '"':
      return { kind: 'quoted', end: closeOf(text, at, '"', '') };
    case '(':
      return { kind: 'comment', end: closeOf(text, at, ')', '(') };
    case '[':
      return { kind: 'literal', end: closeOf(text, at, ']', '') };
    default:
      return null;
  }
}

/** Up to the end, or to where a quote, comment or literal is not closed. */
function tokenise(text: string): { readonly tokens: readonly Token[]; readonly rest: string } {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const character = text.charAt(at);
    if (/\s/.test(character)) {
      at += 1;
      continue;
    }
    if (SPECIALS.includes(character)) {
      tokens.push({ kind: 'special', text: character });
      at += 1;
      continue;
    }
    const quoted = enclosed(text, at);
    if (quoted !== null) {
      if (quoted.end === -1) return { tokens, rest: text.slice(at) };
      const literal = quoted.kind === 'literal';
      const inner = literal ? text.slice(at, quoted.end) : unquote(text.slice(at + 1, quoted.end - 1));
      tokens.push({ kind: quoted.kind, text: inner });
      at = quoted.end;
      continue;
    }
    let end = at + 1;
    while (end < text.length && !/[\s<>@,;:."([]/.test(text.charAt(end))) end += 1;
    tokens.push({ kind: 'atom', text: text.slice(at, end) });
    at = end;
  }
  return { tokens, rest: '' };
}

function isSpecial(token: Token | undefined, text: string): boolean {
  return token?.kind === 'special' && token.text === text;
}

/** word *("." word), or null. */
function joinWords(tokens: readonly Token[], allowed: readonly Kind[]): string | null {
  let out = '';
  for (const [index, token] of tokens.entries()) {
    const word = index % 2 === 0;
    if (word ? !allowed.includes(token.kind) : !isSpecial(token, '.')) return null;
    out += token.text;
  }
  return tokens.length % 2 === 0 ? null : out;
}

/** local-part "@" domain, route dropped. */
function readAddrSpec(tokens: readonly Token[]): { readonly localPart: string; readonly domain: string } | null {
  let spec = tokens;
  if (isSpecial(spec[0], '@')) {
    const colon = spec.findIndex((token) => isSpecial(token, ':'));
    if (colon === -1) return null;
    spec = spec.slice(colon + 1);
  }
  const at = spec.findIndex((token) => isSpecial(token, '@'));
  if (at === -1) return null;
  const localPart = joinWords(spec.slice(0, at), ['atom', 'quoted']);
  const right = spec.slice(at + 1);
  const domain = joinWords(right, right.length === 1 ? ['atom', 'literal'] : ['atom']);
  return localPart === null || domain === null ? null : { localPart, domain };
}

function phrase(tokens: readonly Token[]): string {
  let out = '';
  for (const [index, token] of tokens.entries()) {
    const glue =
      index === 0 || token.text === '.' || token.text === '@' || isSpecial(tokens[index - 1], '@') ? '' : ' ';
    out += glue + token.text;
  }
  return decodeHeaderText(out);
}

interface ReadMailbox {
  readonly mailbox: Mailbox | null;
  readonly malformed: boolean;
  /** There is no telling which address another reader sees. */
  readonly ambiguous: boolean;
}

function readMailbox(all: readonly Token[]): ReadMailbox {
  const tokens = all.filter((token) => token.kind !== 'comment');
  const comment = all.findLast((token) => token.kind === 'comment')?.text ?? '';
  const open = tokens.findIndex((token) => isSpecial(token, '<'));
  if (open === -1) {
    const spec = readAddrSpec(tokens);
    // The name in a comment behind the address: RFC 822 habit, still seen.
    return {
      mailbox: spec === null ? null : { displayName: decodeHeaderText(comment), ...spec },
      malformed: spec === null,
      ambiguous: spec === null,
    };
  }
  const close = tokens.findIndex((token) => isSpecial(token, '>'));
  const spec = readAddrSpec(tokens.slice(open + 1, close === -1 ? tokens.length : close));
  const name = tokens.slice(0, open);
  const ambiguous = spec === null || close !== tokens.length - 1;
  const odd = name.some((token) => token.kind === 'special' && token.text !== '.');
  return {
    mailbox: spec === null ? null : { displayName: phrase(name), ...spec },
    malformed: ambiguous || odd,
    ambiguous,
  };
}

/** Words keep a space between them, so that none grows by its neighbour. */
function plainText(tokens: readonly Token[]): string {
  let out = '';
  for (const [index, token] of tokens.entries()) {
    const glue = index > 0 && token.kind !== 'special' && tokens[index - 1]?.kind !== 'special';
    out += glue ? ` ${token.text}` : token.text;
  }
  return decodeHeaderText(out);
}

export function parseAddressList(value: string, limits: AddressListLimits = {}): AddressList {
  const maxLength = limits.maxLength ?? 65_536;
  const maxMailboxes = limits.maxMailboxes ?? 1000;
  const { tokens, rest } = tokenise(value.slice(0, maxLength));
  const mailboxes: Mailbox[] = [];
  const groups: string[] = [];
  const remains = rest === '' ? [] : [decodeHeaderText(rest)];
  let malformed = rest !== '';
  let truncated = value.length > maxLength;
  let current: Token[] = [];
  let place: 'list' | 'group' = 'list';
  let inAngle = false;

  const finish = (): void => {
    if (current.some((token) => token.kind !== 'comment')) {
      const read = readMailbox(current);
      malformed ||= read.malformed;
      if (read.ambiguous) remains.push(plainText(current));
      if (mailboxes.length >= maxMailboxes) truncated = true;
      else if (read.mailbox !== null) mailboxes.push(read.mailbox);
    }
    current = [];
  };
  for (const token of tokens) {
    const special = token.kind === 'special' ? token.text : '';
    if (special === '<') inAngle = true;
    if (special === '>') inAngle = false;
    if (inAngle || !',;:'.includes(special) || special === '') {
      current.push(token);
    } else if (special === ':') {
      malformed ||= place === 'group';
      if (current.some((one) => isSpecial(one, '@'))) remains.push(plainText(current));
      groups.push(phrase(current.filter(({ kind }) => kind !== 'comment')));
      place = 'group';
      current = [];
    } else {
      finish();
      if (special === ';') {
        malformed ||= place === 'list';
        place = 'list';
      }
    }
  }
  finish();
  return { mailboxes, groups, malformed: malformed || place === 'group' || inAngle, truncated, remains };
}
