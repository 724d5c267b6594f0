/** Reading requests: field checks that name the field, etags, update masks and pages. Everything wrong is `invalid-argument`. */
import { isIP, isIPv4 } from 'node:net';
import { unmapAddress } from '@postern/dns';
import { PosternError } from '@postern/errors';
import { canonical, canonicalDomain } from './addresses.js';

export function invalid(field: string, value: string, allowed: string): PosternError {
  const shown = value === '' ? 'missing' : `${JSON.stringify(value.slice(0, 100))} is not allowed`;
  return new PosternError('invalid-argument', `${field}: ${shown}; expected ${allowed}`);
}

/** What was asked for is not there, or not for this caller: the same words, so that nobody learns of another tenant's. */
export function unknown(kind: string, name: string): PosternError {
  return new PosternError('not-found', `${kind} ${JSON.stringify(name.slice(0, 320))} does not exist`);
}

/** Names that are unique over all tenants: whose it is stays unsaid. */
export function taken(kind: string, name: string): PosternError {
  return new PosternError('already-exists', `${kind} ${JSON.stringify(name.slice(0, 320))} is taken already`);
}

export function addressField(field: string, value: string): string {
  const address = canonical(value);
  if (address === undefined) throw invalid(field, value, 'a mail address user@domain');
  return address;
}

export function domainField(field: string, value: string): string {
  const domain = canonicalDomain(value);
  if (domain === undefined) throw invalid(field, value, 'a domain name such as example.com');
  return domain;
}

/** As edges write it: RFC 5952, an IPv4-mapped one as IPv4. */
export function clientField(field: string, value: string): string {
  if (isIP(value) === 0 || value.includes('%')) throw invalid(field, value, 'an IP address');
  return isIPv4(value) ? value : unmapAddress(new URL(`http://[${value}]`).hostname.slice(1, -1));
}

export function textField(field: string, value: string, pattern: RegExp, allowed: string): string {
  if (!pattern.test(value)) throw invalid(field, value, allowed);
  return value;
}

export const shortText = (field: string, value: string): string =>
  textField(field, value, /^[^\p{Cc}]{0,200}$/u, 'text of at most 200 characters');

/** The message of a request that must not be absent. */
export function required<T>(field: string, value: T | undefined): T {
  if (value === undefined) throw invalid(field, '', 'a value');
  return value;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Fields to change; an empty mask means all of them. Both spellings are taken. */
export function maskedFields<F extends string>(mask: readonly string[], allowed: readonly F[]): ReadonlySet<F> {
  if (mask.length === 0) return new Set(allowed);
  return new Set(
    mask.map((entry) => {
      const found = allowed.find((field) => field === snake(entry));
      if (found === undefined) throw invalid('update_mask', entry, `of ${allowed.join(', ')}`);
      return found;
    }),
  );
}

export const etagOf = (version: string | number): string => `"${version}"`;

/** An empty etag does not restrict. */
export function assertEtag(given: string, version: string | number): void {
  if (given === '' || given === etagOf(version)) return;
  throw new PosternError(
    'failed-precondition',
    `etag: ${given.slice(0, 40)} is not the current one, ${etagOf(version)}`,
  );
}

const largestPage = 1_000;
const usualPage = 100;

export interface Page {
  readonly size: number;
  /** Key of the last row of the page before; empty = from the beginning. */
  readonly after: string;
}

export function pageOf(request: { readonly pageSize: number; readonly pageToken: string }): Page {
  if (request.pageSize > largestPage) throw invalid('page_size', String(request.pageSize), `0 to ${largestPage}`);
  if (request.pageToken.length > 1_024)
    throw invalid('page_token', request.pageToken, 'the token of an earlier answer');
  return {
    size: request.pageSize === 0 ? usualPage : request.pageSize,
    after: Buffer.from(request.pageToken, 'base64url').toString('utf8'),
  };
}

/** Of rows read with LIMIT size + 1. */
export function cutPage<R>(
  rows: R[],
  page: Page,
  keyOf: (row: R) => string,
): { readonly rows: R[]; readonly nextPageToken: string } {
  if (rows.length <= page.size) return { rows, nextPageToken: '' };
  const kept = rows.slice(0, page.size);
  const last = kept.at(-1);
  return { rows: kept, nextPageToken: last === undefined ? '' : Buffer.from(keyOf(last)).toString('base64url') };
}
