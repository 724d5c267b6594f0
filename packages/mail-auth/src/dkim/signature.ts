/**
 * One signature field, DKIM-Signature or ARC-Message-Signature, from text to facts; nothing is verified here.
 * Strict where a lax reader would let a signature speak for what it does not cover. RFC 6376 §3.5, §6.1.1;
 * RFC 8301 (no rsa-sha1), RFC 8463 (ed25519).
 */
import { normaliseName } from '@postern/dns';
import type { HeaderField } from '@postern/mail-message';
import type { Canonicalization } from './canonical-header.js';
import { decodeBase64, parseTagList, splitColons, type TagList, withoutSpace } from './tag-list.js';

export type SignatureAlgorithm = 'rsa-sha256' | 'ed25519-sha256';

export interface Signature {
  readonly field: HeaderField;
  readonly algorithm: SignatureAlgorithm;
  readonly domain: string;
  readonly selector: string;
  /** i=, or '@' and the domain. */
  readonly identity: string;
  readonly headerForm: Canonicalization;
  readonly bodyForm: Canonicalization;
  readonly headerNames: readonly string[];
  readonly bodyHash: Buffer;
  readonly signature: Buffer;
  readonly bodyLength: number | undefined;
  /** Seconds since 1970. */
  readonly signedAt: number | undefined;
  readonly expiresAt: number | undefined;
}

export type ParsedSignature =
  | { readonly kind: 'signature'; readonly signature: Signature }
  | {
      readonly kind: 'refused';
      readonly result: 'neutral' | 'policy';
      readonly reason: string;
      /** As far as they could be read, to name the signature in a report. */
      readonly domain: string;
      readonly selector: string;
      readonly algorithm: string;
    };

const MAX_HEADER_NAMES = 1_000;
const HEADER_NAME = /^[\x21-\x39\x3b-\x7e]+$/;

export function parseSignature(field: HeaderField, kind: 'dkim' | 'arc'): ParsedSignature {
  const text = field.raw.toString('latin1');
  const tags = parseTagList(text.slice(text.indexOf(':') + 1));
  const parsed = tags === undefined ? 'tag list' : readTags(tags, field, kind);
  if (typeof parsed === 'object') return { kind: 'signature', signature: parsed };
  return {
    kind: 'refused',
    result: parsed === 'rsa-sha1' ? 'policy' : 'neutral',
    reason: parsed === 'rsa-sha1' ? 'rsa-sha1 is not accepted' : `malformed: ${parsed}`,
    domain: normaliseName(tags?.get('d') ?? '') ?? '',
    selector: normaliseName(tags?.get('s') ?? '') ?? '',
    algorithm: withoutSpace(tags?.get('a') ?? '').slice(0, 32),
  };
}

/** The signature, or what is wrong with it. */
function readTags(tags: TagList, field: HeaderField, kind: 'dkim' | 'arc'): Signature | string {
  if (kind === 'dkim' && tags.get('v') !== '1') return 'v=';
  const algorithm = tags.get('a');
  if (algorithm === 'rsa-sha1') return 'rsa-sha1';
  if (algorithm !== 'rsa-sha256' && algorithm !== 'ed25519-sha256') return 'a=';
  const domain = normaliseName(tags.get('d') ?? '');
  if (domain === undefined || domain === '' || !isHostName(domain)) return 'd=';
  const selector = normaliseName(tags.get('s') ?? '');
  if (selector === undefined || selector === '' || !isHostName(selector)) return 's=';
  const bodyHash = decodeBase64(tags.get('bh') ?? '');
  if (bodyHash === undefined) return 'bh=';
  const signature = decodeBase64(tags.get('b') ?? '');
  if (signature === undefined) return 'b=';
  // An ARC signature is relaxed where c= is left out: the public suite and its reference implementation agree on it.
  const forms = readForms(tags.get('c') ?? (kind === 'arc' ? 'relaxed/relaxed' : 'simple/simple'));
  if (forms === undefined) return 'c=';
  const headerNames = tags.has('h') ? readHeaderNames(tags.get('h') ?? '', kind) : 'h=';
  if (typeof headerNames === 'string') return headerNames;
  if (!splitColons(tags.get('q') ?? 'dns/txt').includes('dns/txt')) return 'q=';
  const identity = kind === 'arc' ? `@${domain}` : readIdentity(tags.get('i'), domain);
  if (identity === undefined) return 'i= outside of d=';
  const bodyLength = readNumber(tags.get('l'));
  const signedAt = readNumber(tags.get('t'));
  const expiresAt = readNumber(tags.get('x'));
  if (bodyLength === null) return 'l=';
  if (signedAt === null) return 't=';
  if (expiresAt === null || (expiresAt !== undefined && signedAt !== undefined && expiresAt <= signedAt)) return 'x=';
  const names = { field, algorithm, domain, selector, identity, headerNames } as const;
  return { ...names, ...forms, bodyHash, signature, bodyLength, signedAt, expiresAt };
}

/** An ARC signature may list empty names, or nothing; a DKIM signature always covers From. */
function readHeaderNames(text: string, kind: 'dkim' | 'arc'): readonly string[] | string {
  const names = splitColons(text, MAX_HEADER_NAMES + 1);
  if (names.length > MAX_HEADER_NAMES) return 'h=';
  const known = kind === 'arc' ? names.filter((name) => name !== '') : names;
  if (!known.every((name) => HEADER_NAME.test(name))) return 'h=';
  const has = (wanted: string): boolean => known.some((name) => name.toLowerCase() === wanted);
  if (kind === 'dkim') return has('from') ? known : 'h= without From';
  return has('arc-seal') ? 'h= with ARC-Seal' : known;
}

function readForms(text: string): Pick<Signature, 'headerForm' | 'bodyForm'> | undefined {
  const [header = '', body = 'simple', ...more] = text.split('/');
  if (!isForm(header) || !isForm(body) || more.length > 0) return undefined;
  return { headerForm: header, bodyForm: body };
}

function isForm(text: string): text is Canonicalization {
  return text === 'simple' || text === 'relaxed';
}

/** RFC 6376 §3.5: the domain of i= is d= or below it. */
function readIdentity(text: string | undefined, domain: string): string | undefined {
  if (text === undefined) return `@${domain}`;
  const at = text.lastIndexOf('@');
  if (at === -1) return undefined;
  const host = normaliseName(withoutSpace(text.slice(at + 1)));
  return host === domain || host?.endsWith(`.${domain}`) ? `${text.slice(0, at)}@${host}` : undefined;
}

/** Undefined: absent. Null: no number. */
function readNumber(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** RFC 6376 §3.5: labels of letters, digits, hyphens; underscores are met in selectors. */
function isHostName(name: string): boolean {
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name);
}
