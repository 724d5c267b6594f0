/**
 * The schema of a document that holds only what differs from another one: every field of a map may be absent, nothing has a default.
 * Lists and records are replaced whole. What it read is kept as written, to be laid over the other document.
 */
import { type Fields, objectKind } from './object.js';
import { type PlainValue, plainOf } from './plain.js';
import { type AnySchema, accepted, type Kind, Schema } from './schema.js';

type PlainMap = { readonly [key: string]: PlainValue };

const isMap = (value: PlainValue | undefined): value is { [key: string]: PlainValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fieldsOf(schema: AnySchema): Fields {
  return Object.fromEntries(schema.kind.children().map((child) => [child.name.slice(1), absentable(child.schema)]));
}

function absentable(schema: AnySchema): AnySchema {
  const { text, checks } = schema.facts;
  const facts = { ...(text === undefined ? {} : { text }), ...(checks === undefined ? {} : { checks }) };
  const kind = schema.kind.type === 'object' ? objectKind(fieldsOf(schema)) : schema.kind;
  return new Schema<unknown, unknown, 'optional'>(kind, 'optional', facts);
}

/** `schema` is one of `s.object`. */
export function patchOf(schema: AnySchema): Schema<PlainMap> {
  const inner = objectKind(fieldsOf(schema));
  const kind: Kind<PlainMap> = {
    ...inner,
    read: (at, path, reader, secret) => {
      const outcome = inner.read(at, path, reader, secret);
      if (!outcome.ok) return outcome;
      const plain = plainOf(at);
      return accepted(isMap(plain) ? plain : {});
    },
    show: (value) => value,
  };
  return new Schema(kind, 'required');
}

/** The same as a field of another document, which does not list its fields a second time: `type` says whose they are. */
export function patchFieldOf(schema: AnySchema, type: string): Schema<PlainMap> {
  return new Schema({ ...patchOf(schema).kind, type, children: () => [] }, 'required');
}

/** The patch laid over a document, both as written. */
export function applyPatch(below: PlainMap, above: PlainMap): PlainMap {
  const merged = new Map<string, PlainValue>(Object.entries(below));
  for (const [key, value] of Object.entries(above)) {
    const old = merged.get(key);
    merged.set(key, isMap(old) && isMap(value) ? { ...applyPatch(old, value) } : value);
  }
  return Object.fromEntries(merged);
}
