/**
 * `value; name=value; ...` of Content-Type and Content-Disposition, RFC 2045 §5.1, with continuations and charsets of
 * RFC 2231. Lenient as mail programs are: names of attachments must be seen as they will be seen. Linear, bounded.
 */
import { decodeHeaderText } from './encoded-word.js';
import { joinSections } from './parameter-sections.js';

export interface Parameterized {
  /** Lower case, without parameters. */
  readonly value: string;
  /** Names in lower case, decoded values; the first of two equal names wins. */
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_PARAMETERS = 64;

/** Cuts at semicolons outside of quotes, takes quotes off, and drops comments. */
function splitParts(text: string): readonly string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  let depth = 0;
  for (let at = 0; at < text.length && parts.length <= MAX_PARAMETERS; at += 1) {
    const character = text.charAt(at);
    if (character === '\\' && (quoted || depth > 0)) {
      at += 1;
      if (depth === 0) part += text.charAt(at);
    } else if (character === '"' && depth === 0) {
      quoted = !quoted;
    } else if (!quoted && character === '(') {
      depth += 1;
    } else if (!quoted && depth > 0) {
      if (character === ')') depth -= 1;
    } else if (!quoted && character === ';') {
      parts.push(part);
      part = '';
    } else {
      part += character;
    }
  }
  parts.push(part);
  return parts;
}

export function parseParameterized(text: string): Parameterized {
  const [head = '', ...parts] = splitParts(text);
  const parameters = new Map<string, string>();
  const sectioned = new Map<string, Map<string, string>>();
  for (const part of parts) {
    const equals = part.indexOf('=');
    if (equals === -1) continue;
    const name = part.slice(0, equals).trim().toLowerCase();
    const value = part.slice(equals + 1).trim();
    const star = name.indexOf('*');
    if (star === -1) {
      if (!parameters.has(name)) parameters.set(name, decodeHeaderText(value));
      continue;
    }
    const base = name.slice(0, star);
    const suffix = star === name.length - 1 ? '*' : name.slice(star + 1);
    const sections = sectioned.get(base) ?? new Map<string, string>();
    if (!sections.has(suffix)) sections.set(suffix, value);
    sectioned.set(base, sections);
  }
  // RFC 6266 §4.3 and practice: the extended form wins over the plain one.
  for (const [name, sections] of sectioned) parameters.set(name, joinSections(sections));
  return { value: head.trim().toLowerCase(), parameters };
}
