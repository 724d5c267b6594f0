/**
 * Authentication-Results: writing ours, and finding those a sender wrote in our name. RFC 8601 §2.2 and §5.
 * Property values come from the message and from DNS: whatever is no plain token is written as a quoted string.
 */
import type { HeaderEdit } from './header-edit.js';
import type { HeaderField } from './header-section.js';

export interface AuthenticationProperty {
  readonly type: 'smtp' | 'header' | 'body' | 'policy' | 'dns';
  readonly name: string;
  readonly value: string;
}

export interface AuthenticationResult {
  /** `spf`, `dkim`, `dmarc`, `arc`, `auth`, `iprev` ... */
  readonly method: string;
  readonly result: string;
  readonly reason?: string;
  readonly comment?: string;
  readonly properties?: readonly AuthenticationProperty[];
}

const KEYWORD = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
/** RFC 2045 §5.1 token; with `@` and `/` where the pvalue grammar or practice has them. */
const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~@]+$/;
const NAME = 'authentication-results';

function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removes control characters
  return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').slice(0, 512);
}

function value(text: string): string {
  const plain = clean(text);
  return TOKEN.test(plain) ? plain : `"${plain.replace(/[\\"]/g, '\\$&')}"`;
}

function keyword(text: string): string {
  if (!KEYWORD.test(text)) throw new TypeError(`not a keyword of RFC 8601: ${clean(text)}`);
  return text;
}

/** The value of an Authentication-Results field, folded, one method a line. */
export function formatAuthenticationResults(authservId: string, results: readonly AuthenticationResult[]): string {
  const lines = results.map(({ method, result, reason, comment, properties = [] }) => {
    let line = `${keyword(method)}=${keyword(result)}`;
    if (comment !== undefined) line += ` (${clean(comment).replace(/[()\\]/g, '\\$&')})`;
    if (reason !== undefined) line += ` reason=${value(reason)}`;
    for (const property of properties) line += ` ${property.type}.${keyword(property.name)}=${value(property.value)}`;
    return line;
  });
  return [value(authservId), ...(lines.length === 0 ? ['none'] : lines)].join(';\r\n\t');
}

/** The authserv-id at the start of a field value in lower case, or null where it cannot be read. */
export function readAuthservId(text: string): string | null {
  let at = 0;
  let depth = 0;
  for (; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\' && depth > 0) at += 1;
    else if (character === '(') depth += 1;
    else if (character === ')' && depth > 0) depth -= 1;
    else if (depth === 0 && !/[ \t\r\n]/.test(character)) break;
  }
  const rest = text.slice(at);
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(rest)?.[1];
  const id = quoted === undefined ? /^[^\s;("]+/.exec(rest)?.[0] : quoted.replace(/\\(.)/g, '$1');
  return id === undefined || id === '' ? null : id.toLowerCase().replace(/\.$/, '');
}

/**
 * Edits that take away every Authentication-Results field which claims one of our ids, or whose id cannot be read.
 * RFC 8601 §5. To be applied before ours is added; in this order, since each removal moves the later occurrences.
 */
export function stripForgedAuthenticationResults(
  fields: readonly HeaderField[],
  authservIds: string | readonly string[],
): readonly HeaderEdit[] {
  const ours = new Set((typeof authservIds === 'string' ? [authservIds] : authservIds).map((id) => id.toLowerCase()));
  const edits: HeaderEdit[] = [];
  let occurrence = 0;
  for (const field of fields) {
    if (field.key !== NAME) continue;
    occurrence += 1;
    const id = readAuthservId(field.value);
    if (id === null || ours.has(id)) edits.unshift({ op: 'remove', name: 'Authentication-Results', index: occurrence });
  }
  return edits;
}
