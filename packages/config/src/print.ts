/**
 * A loaded configuration as YAML, secrets replaced by ***. With `diff` only what differs from the defaults.
 */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import type { ConfigDefinition } from './define.js';
import { emptyMap } from './located.js';
import { type Fields, type ObjectOf, showFields } from './object.js';
import { Reader } from './schema.js';

export interface PrintOptions {
  readonly diff?: boolean;
}

export function printConfig<F extends Fields>(
  definition: ConfigDefinition<F>,
  value: ObjectOf<F>,
  options: PrintOptions = {},
): string {
  const shown = showFields(definition.fields, value);
  const printed = options.diff ? without(shown, shownDefaults(definition.fields)) : shown;
  return Object.keys(printed).length === 0 ? '{}\n' : stringify(printed, { lineWidth: 0 });
}

/** Defaults as they would be printed; fields that have none are absent. */
export function shownDefaults(fields: Fields): Record<string, unknown> {
  const defaults: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(fields)) {
    if (schema.facts.initial) {
      const outcome = schema.readAbsent(emptyMap('default'), name, new Reader());
      if (outcome.ok) defaults[name] = schema.facts.secret ? '***' : schema.kind.show(outcome.value);
    } else if (schema.kind.type === 'object' && schema.presence === 'required') {
      const children = schema.kind.children().map((child) => [child.name.slice(1), child.schema] as const);
      defaults[name] = shownDefaults(Object.fromEntries(children));
    }
  }
  return defaults;
}

function without(shown: object, defaults: object): Record<string, unknown> {
  const rest: Record<string, unknown> = {};
  const known = new Map<string, unknown>(Object.entries(defaults));
  for (const [name, value] of Object.entries(shown)) {
    const initial = known.get(name);
    if (isDeepStrictEqual(value, initial)) continue;
    if (!isMap(value) || !isMap(initial)) {
      rest[name] = value;
      continue;
    }
    const differing = without(value, initial);
    if (Object.keys(differing).length > 0) rest[name] = differing;
  }
  return rest;
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
