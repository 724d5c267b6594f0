/** Header fields in the form that is signed. RFC 6376 §3.4.1 and §3.4.2. Octets as latin1 characters. */
import type { HeaderField } from '@postern/mail-message';

export type Canonicalization = 'simple' | 'relaxed';

export function canonicalField(field: HeaderField, form: Canonicalization): string {
  const text = field.raw.toString('latin1');
  if (form === 'simple') return text.endsWith('\n') ? text : `${text}\r\n`;
  return `${relaxField(text)}\r\n`;
}

/** The signature's own field: the value of its b= taken out, no line end (RFC 6376 §3.7). */
export function canonicalSignatureField(field: HeaderField, form: Canonicalization): string {
  const text = field.raw.toString('latin1').replace(/\r?\n$/, '');
  const colon = text.indexOf(':') + 1;
  const emptied = text.slice(colon).replace(/((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*/, '$1');
  return form === 'simple' ? text.slice(0, colon) + emptied : relaxField(text.slice(0, colon) + emptied);
}

function relaxField(text: string): string {
  const colon = text.indexOf(':');
  const name = text.slice(0, colon).trimEnd().toLowerCase();
  const value = text
    .slice(colon + 1)
    .replace(/\r?\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, '');
  return `${name}:${value}`;
}

/**
 * The fields an h= list means: each name takes the lowest instance not yet taken, a name without one left takes
 * nothing (RFC 6376 §5.4.2). `self` is never taken.
 */
export function selectFields(
  fields: readonly HeaderField[],
  names: readonly string[],
  self?: HeaderField,
): HeaderField[] {
  const stacks = new Map<string, HeaderField[]>();
  for (const name of names) stacks.set(name.toLowerCase(), []);
  for (const field of fields) if (field !== self) stacks.get(field.key)?.push(field);
  const selected: HeaderField[] = [];
  for (const name of names) {
    const field = stacks.get(name.toLowerCase())?.pop();
    if (field !== undefined) selected.push(field);
  }
  return selected;
}
