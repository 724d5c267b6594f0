/**
 * An object with known fields: an unknown key is an error with the nearest known one as a hint. A missing object whose
 * fields may all be absent is an empty one, so sections need not be written to get their defaults.
 */
import { type Entry, emptyMap, type Located, type LocatedMap } from './located.js';
import {
  type AnySchema,
  accepted,
  type Infer,
  type JsonSchema,
  type Kind,
  type Outcome,
  type RawOf,
  type Reader,
  refused,
} from './schema.js';
import { choices, nearest } from './suggest.js';

export type Fields = Readonly<Record<string, AnySchema>>;

type OptionalKey<F extends Fields> = { [K in keyof F]: F[K]['presence'] extends 'optional' ? K : never }[keyof F];

type Flat<T> = { [K in keyof T]: T[K] };

export type ObjectOf<F extends Fields> = Flat<
  { [K in Exclude<keyof F, OptionalKey<F>>]: Infer<F[K]> } & { [K in OptionalKey<F>]?: Infer<F[K]> }
>;

export type RawObjectOf<F extends Fields> = { readonly [K in keyof F]?: RawOf<F[K]> };

export function objectKind<F extends Fields>(fields: F): Kind<ObjectOf<F>> {
  const names = Object.keys(fields);
  const allowed = `a map with ${names.length > 16 ? 'the documented keys' : names.join(', ')}`;
  return {
    type: 'object',
    textForm: 'structure',
    allowed: () => allowed,
    read: (at, path, reader) => {
      const map = asMap(at);
      if (map === undefined) return reader.refuseShape(at, path, allowed);
      const unknown = reportUnknown(map, path, names, reader);
      const outcome = readFields(fields, map, path, reader);
      return unknown > 0 ? refused : outcome;
    },
    show: (value) => showFields(fields, value),
    jsonSchema: () => objectJsonSchema(fields),
    children: () => Object.entries(fields).map(([name, schema]) => ({ name: `.${name}`, schema })),
  };
}

/** Reads known fields only; what else is in the map is the caller's to judge. */
export function readFields<F extends Fields>(
  fields: F,
  map: LocatedMap,
  path: string,
  reader: Reader,
): Outcome<ObjectOf<F>> {
  const before = reader.refusals.length;
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(fields)) {
    const fieldPath = path === '' ? name : `${path}.${name}`;
    const outcome = readField(schema, map, name, fieldPath, reader);
    if (outcome?.ok) values[name] = outcome.value;
  }
  return reader.refusals.length === before && isComplete(fields, values) ? accepted(values) : refused;
}

function readField(
  schema: AnySchema,
  map: LocatedMap,
  name: string,
  path: string,
  reader: Reader,
): Outcome<unknown> | undefined {
  const entry = map.entries.get(name);
  if (entry && !isNothing(entry.value)) return schema.read(entry.value, path, reader);
  if (entry === undefined || schema.kind.type === 'object' || schema.presence === 'optional') {
    if (schema.facts.initial) return schema.readAbsent(map, path, reader);
    if (schema.presence === 'optional') return undefined;
    const place = entry?.place ?? map.place;
    if (schema.kind.type === 'object') return schema.read(emptyMap(place), path, reader);
    return schema.readAbsent(map, path, reader, place);
  }
  return schema.read(entry.value, path, reader);
}

function isComplete<F extends Fields>(fields: F, values: Record<string, unknown>): values is ObjectOf<F> {
  return Object.entries(fields).every(
    ([name, schema]) => schema.presence === 'optional' || Object.hasOwn(values, name),
  );
}

function reportUnknown(map: LocatedMap, path: string, names: readonly string[], reader: Reader): number {
  const unknown = [...map.entries].filter(([key]) => !names.includes(key));
  for (const [key, entry] of unknown) {
    reportUnknownKey(entry, path === '' ? key : `${path}.${key}`, key, names, reader);
  }
  return unknown.length;
}

export function reportUnknownKey(
  entry: Entry,
  path: string,
  key: string,
  names: readonly string[],
  reader: Reader,
): void {
  const near = nearest(key, names);
  const hint = near === undefined ? `expected one of ${choices(key, names)}` : `did you mean ${near}?`;
  reader.report(entry.value, entry.place, path, `unknown key; ${hint}`, 'unknown');
}

/** An empty section (`edge:` with nothing below) is null in YAML and means an empty map. */
export function asMap(at: Located): LocatedMap | undefined {
  if (at.kind === 'map') return at;
  return isNothing(at) ? emptyMap(at.place) : undefined;
}

function isNothing(at: Located): boolean {
  return at.kind === 'scalar' && at.value === null;
}

export function showFields(fields: Fields, value: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  const given = new Map<string, unknown>(Object.entries(value));
  for (const [name, schema] of Object.entries(fields)) {
    const field = given.get(name);
    if (field !== undefined) shown[name] = schema.facts.secret ? '***' : schema.kind.show(field);
  }
  return shown;
}

export function objectJsonSchema(fields: Fields): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const [name, schema] of Object.entries(fields)) {
    const { text, initial } = schema.facts;
    properties[name] = {
      ...schema.kind.jsonSchema(),
      ...(text === undefined ? {} : { description: text }),
      ...(initial === undefined ? {} : { default: initial.raw }),
    };
    if (mustBeWritten(schema)) required.push(name);
  }
  return { type: 'object', properties, additionalProperties: false, ...(required.length > 0 ? { required } : {}) };
}

/** Has the field to be in the file? Not if it, or every field below it, can be absent. */
export function mustBeWritten(schema: AnySchema): boolean {
  if (schema.presence === 'optional' || schema.facts.initial !== undefined) return false;
  return schema.kind.type !== 'object' || schema.kind.children().some((child) => mustBeWritten(child.schema));
}
