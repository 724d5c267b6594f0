/**
 * tag=value lists, the form of DKIM and ARC signatures, DKIM keys and DMARC records. RFC 6376 §3.2.
 * A tag twice, a tag without a name or without `=` makes the whole list unreadable.
 */
export type TagList = ReadonlyMap<string, string>;

const TAG_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const MAX_TAGS = 64;

/** Values with folding white space at both ends taken away, inner space kept. Undefined: syntax error. */
export function parseTagList(text: string): TagList | undefined {
  const tags = new Map<string, string>();
  const parts = text.split(';', MAX_TAGS + 1);
  if (parts.length > MAX_TAGS) return undefined;
  // The last semicolon may end the list.
  const last = parts.at(-1);
  if (last !== undefined && trimSpace(last) === '' && parts.length > 1) parts.pop();
  for (const part of parts) {
    const equals = part.indexOf('=');
    if (equals === -1) return undefined;
    const name = trimSpace(part.slice(0, equals));
    if (!TAG_NAME.test(name) || tags.has(name)) return undefined;
    tags.set(name, trimSpace(part.slice(equals + 1)));
  }
  return tags;
}

/** Folding white space only, and by hand: a pattern for the end of a text takes quadratic time on long runs. */
function trimSpace(text: string): string {
  let begin = 0;
  let end = text.length;
  while (begin < end && isSpace(text.charCodeAt(begin))) begin++;
  while (end > begin && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(begin, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}

export function withoutSpace(text: string): string {
  return text.replace(/[ \t\r\n]+/g, '');
}

/** A base64 value with folding white space inside; undefined when it is none. */
export function decodeBase64(text: string): Buffer | undefined {
  const bare = withoutSpace(text);
  if (bare === '' || bare.length % 4 === 1 || !/^[A-Za-z0-9+/]+={0,2}$/.test(bare)) return undefined;
  return Buffer.from(bare, 'base64');
}

/** A colon-separated list, space around the members ignored; members beyond the limit are left off. */
export function splitColons(text: string, limit = 64): string[] {
  return text.split(':', limit).map(trimSpace);
}
