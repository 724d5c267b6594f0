/**
 * Lists and records (maps with free keys). Both have a length bound: a configuration is outside data too.
 */
import { accepted, type Kind, type Outcome, refused, type Schema } from './schema.js';

export interface SizeLimits {
  readonly min?: number;
  readonly max?: number;
}

const defaultMax = 10_000;

/** `a list`, with its bounds only where they say something. */
function sizeText(what: string, { min = 0, max }: SizeLimits): string {
  if (max !== undefined) return `${what} of ${min} to ${max} entries`;
  return min === 0 ? what : `${what} of at least ${min} ${min === 1 ? 'entry' : 'entries'}`;
}

export function listKind<T, Raw>(item: Schema<T, Raw>, limits: SizeLimits = {}): Kind<T[]> {
  const { min = 0, max = defaultMax } = limits;
  const allowed = sizeText('a list', limits);
  return {
    type: `list of ${item.kind.type}`,
    textForm: item.kind.textForm === 'scalar' ? 'list' : 'structure',
    allowed: () => allowed,
    read: (at, path, reader) => {
      if (at.kind !== 'list') return reader.refuseShape(at, path, allowed);
      const { length } = at.items;
      if (length < min || length > max) {
        const given = length === 0 ? 'an empty list' : `a list of ${length} entries`;
        return reader.report(at, at.place, path, `${given} is not allowed; expected ${min} to ${max} entries`);
      }
      const values: T[] = [];
      let whole = true;
      for (const [index, entry] of at.items.entries()) {
        const outcome = item.read(entry, `${path}[${index}]`, reader);
        if (outcome.ok) values.push(outcome.value);
        else whole = false;
      }
      return whole ? accepted(values) : refused;
    },
    show: (values) => values.map((value) => item.kind.show(value)),
    jsonSchema: () => ({ type: 'array', minItems: min, maxItems: max, items: item.kind.jsonSchema() }),
    children: () => [{ name: '[]', schema: item }],
  };
}

export interface RecordLimits extends SizeLimits {
  /** What a key may look like. */
  readonly key?: RegExp;
  /** Describes a key to people. */
  readonly keyForm?: string;
}

export function recordKind<T, Raw>(item: Schema<T, Raw>, limits: RecordLimits = {}): Kind<Record<string, T>> {
  const { min = 0, max = defaultMax, key = /^[^\s]{1,255}$/, keyForm = `text matching ${key.source}` } = limits;
  const allowed = sizeText('a map', limits);
  return {
    type: `map of ${item.kind.type}`,
    textForm: 'structure',
    allowed: () => allowed,
    read: (at, path, reader) => {
      if (at.kind !== 'map' || at.entries.size < min || at.entries.size > max)
        return reader.refuseShape(at, path, allowed);
      const pairs: [string, T][] = [];
      let whole = true;
      for (const [name, entry] of at.entries) {
        const outcome: Outcome<T> = key.test(name)
          ? item.read(entry.value, `${path}.${name}`, reader)
          : reader.report(
              entry.value,
              entry.place,
              path,
              `key ${JSON.stringify(name)} is not allowed; expected ${keyForm}`,
            );
        if (outcome.ok) pairs.push([name, outcome.value]);
        else whole = false;
      }
      return whole ? accepted(Object.fromEntries(pairs)) : refused;
    },
    show: (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, item.kind.show(value)])),
    jsonSchema: () => ({
      type: 'object',
      minProperties: min,
      maxProperties: max,
      propertyNames: { pattern: key.source },
      additionalProperties: item.kind.jsonSchema(),
    }),
    children: () => [{ name: '.<name>', schema: item }],
  };
}
