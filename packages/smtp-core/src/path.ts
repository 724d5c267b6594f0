/**
 * Reverse-path and forward-path, RFC 5321 §4.1.2 whole, with RFC 6531 §3.3 where SMTPUTF8 is in force.
 * Quoted local parts may hold spaces, `@` and `>`; source routes are checked and dropped (RFC 5321 §3.6.1, App. C).
 * One pass, no backtracking, never throws; input longer than a path may be is not looked at beyond its limit.
 */
import { isAddressLiteral, isAscii, isDomain } from './domain.js';
import { SMTP_LIMITS } from './limits.js';

export interface PathOptions {
  /** `<>` is a path: MAIL FROM. */
  readonly allowNull?: boolean;
  /** `<postmaster>` without a domain is a path: RCPT TO, RFC 5321 §4.5.1. */
  readonly allowPostmaster?: boolean;
  readonly smtputf8?: boolean;
  /** Takes also dots at any place of a local part and underscores in domains. */
  readonly lenient?: boolean;
}

export interface Path {
  /** Without quotes and backslashes. Empty for the null path. */
  readonly localPart: string;
  /** As sent. Empty for the null path and for a bare `<postmaster>`. */
  readonly domain: string;
  /** Canonical: quotes only where they are needed, domain as sent. Fit for a path, a header, a lookup after folding. */
  readonly address: string;
  /** What stood between the brackets, without source route. */
  readonly raw: string;
}

export type PathProblem =
  | 'syntax'
  | 'nullPath'
  | 'localPart'
  | 'localPartTooLong'
  | 'domain'
  | 'domainTooLong'
  | 'pathTooLong'
  | 'nonAscii';

export type PathResult =
  | { readonly ok: true; readonly path: Path }
  | { readonly ok: false; readonly reason: PathProblem };

/** A path at the start of a longer text: `end` is the offset behind its `>`. */
export type ScannedPath =
  | { readonly ok: true; readonly path: Path; readonly end: number }
  | { readonly ok: false; readonly reason: PathProblem };

const ATEXT = /[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]/;
const DOT_STRING = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/;
const NEEDS_ESCAPE = /["\\]/g;

function refuse(reason: PathProblem): { readonly ok: false; readonly reason: PathProblem } {
  return { ok: false, reason };
}

/** UTF8-non-ascii of RFC 6531 §3.3. Where it is not allowed scanPath says so: a better answer than "syntax". */
function isBeyondAscii(code: number): boolean {
  return code > 0x9f && code !== 0xfffd;
}

/** The local part as it must be written in a path: a dot-string where it can be, else quoted. RFC 5321 §4.1.2. */
export function quoteLocalPart(localPart: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the class is "beyond ASCII"
  const ascii = isAscii(localPart) ? localPart : localPart.replace(/[^\x00-\x7f]/gu, 'a');
  return DOT_STRING.test(ascii) ? localPart : `"${localPart.replace(NEEDS_ESCAPE, '\\$&')}"`;
}

/** Reads the local part from `start`; returns its value and the offset behind it, or null. */
function scanLocalPart(
  text: string,
  start: number,
  limit: number,
  options: PathOptions,
): { readonly value: string; readonly end: number } | null {
  if (text.charCodeAt(start) !== 0x22) {
    let at = start;
    let lastDot = start - 1;
    for (; at < limit; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x2e) {
        if (at === lastDot + 1 && options.lenient !== true) return null;
        lastDot = at;
      } else if (!isBeyondAscii(code) && !ATEXT.test(text.charAt(at))) {
        break;
      }
    }
    if (at === start || (lastDot === at - 1 && options.lenient !== true)) return null;
    return { value: text.slice(start, at), end: at };
  }
  let value = '';
  for (let at = start + 1; at < limit; at += 1) {
    let code = text.charCodeAt(at);
    if (code === 0x22) return { value, end: at + 1 };
    if (code === 0x5c) {
      at += 1;
      if (at >= limit) return null;
      code = text.charCodeAt(at);
      if (code < 0x20 || code > 0x7e) return null; // quoted-pairSMTP
    } else if ((code < 0x20 || code > 0x7e) && !isBeyondAscii(code)) {
      return null;
    }
    value += text.charAt(at);
  }
  return null;
}

/** Offset behind `@a,@b:`, or `start` where there is no route, or null for a malformed one. */
function skipSourceRoute(text: string, start: number, limit: number, options: PathOptions): number | null {
  if (text.charAt(start) !== '@') return start;
  const colon = text.indexOf(':', start);
  // An IPv6 literal has colons of its own; no route ever needed one, so such a route is refused below.
  if (colon === -1 || colon >= limit) return null;
  for (const hop of text.slice(start, colon).split(',')) {
    if (!hop.startsWith('@')) return null;
    const domain = hop.slice(1);
    if (!isDomain(domain, options) && !isAddressLiteral(domain)) return null;
  }
  return colon + 1;
}

function readDomain(text: string, options: PathOptions): PathProblem | null {
  if (Buffer.byteLength(text) > SMTP_LIMITS.domain) return 'domainTooLong';
  if (text.startsWith('[')) return isAddressLiteral(text) ? null : 'domain';
  if (!isAscii(text) && options.smtputf8 !== true) return 'nonAscii';
  return isDomain(text, options) ? null : 'domain';
}

/** Reads the path that starts at offset `start` of `text`. */
export function scanPath(text: string, start: number, options: PathOptions = {}): ScannedPath {
  if (text.charAt(start) !== '<' || !text.isWellFormed()) return refuse('syntax');
  const limit = Math.min(text.length, start + SMTP_LIMITS.path);
  const tooLong = text.length > limit;
  if (text.charAt(start + 1) === '>') {
    if (options.allowNull !== true) return refuse('nullPath');
    return { ok: true, path: { localPart: '', domain: '', address: '', raw: '' }, end: start + 2 };
  }
  const mailbox = skipSourceRoute(text, start + 1, limit, options);
  if (mailbox === null) return refuse('syntax');
  const local = scanLocalPart(text, mailbox, limit, options);
  if (local === null) return refuse(tooLong && !text.slice(start, limit).includes('>') ? 'pathTooLong' : 'localPart');
  const localText = text.slice(mailbox, local.end);
  if (!isAscii(localText) && options.smtputf8 !== true) return refuse('nonAscii');

  if (text.charAt(local.end) === '>' && mailbox === start + 1) {
    if (options.allowPostmaster !== true || local.value.toLowerCase() !== 'postmaster') return refuse('domain');
    const path = { localPart: local.value, domain: '', address: local.value, raw: localText };
    return { ok: true, path, end: local.end + 1 };
  }
  if (Buffer.byteLength(localText) > SMTP_LIMITS.localPart) return refuse('localPartTooLong');
  if (text.charAt(local.end) !== '@') return refuse('localPart');
  const close = text.indexOf('>', local.end);
  if (close === -1) return refuse(tooLong ? 'pathTooLong' : 'syntax');
  const domain = text.slice(local.end + 1, close);
  const problem = readDomain(domain, options);
  if (problem !== null) return refuse(problem);
  if (Buffer.byteLength(text.slice(start, close + 1)) > SMTP_LIMITS.path) return refuse('pathTooLong');
  const address = `${quoteLocalPart(local.value)}@${domain}`;
  return {
    ok: true,
    path: { localPart: local.value, domain, address, raw: text.slice(mailbox, close) },
    end: close + 1,
  };
}

/** Reads a whole text as one path, brackets included. */
export function parsePath(text: string, options: PathOptions = {}): PathResult {
  const scanned = scanPath(text, 0, options);
  if (!scanned.ok) return scanned;
  return scanned.end === text.length ? { ok: true, path: scanned.path } : refuse('syntax');
}
