/**
 * A value taken as it is written: a document that another package judges (a rule, an action). Bounded by the reader in depth and size.
 */
import type { Located } from './located.js';
import { accepted, type Kind } from './schema.js';

export type PlainValue = string | number | boolean | null | PlainValue[] | { [key: string]: PlainValue };

/** The value without its places. Keys are own data properties, also one named `__proto__`. */
export function plainOf(at: Located): PlainValue {
  if (at.kind === 'scalar') return at.value;
  if (at.kind === 'list') return at.items.map(plainOf);
  return Object.fromEntries([...at.entries].map(([key, entry]) => [key, plainOf(entry.value)]));
}

export function plainKind(): Kind<PlainValue> {
  return {
    type: 'value',
    textForm: 'structure',
    allowed: () => 'a value',
    read: (at) => accepted(plainOf(at)),
    show: (value) => value,
    jsonSchema: () => ({}),
    children: () => [],
  };
}
