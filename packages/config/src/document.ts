/**
 * One schema applied to one document that is not a service's own file: the operator file, a tenant's rules, a value
 * from the API. The check* functions give back problems, the parse* functions throw them.
 */
import { type Located, locatePlain, locateYaml } from './located.js';
import { ConfigError, type Problem } from './problem.js';
import { type Presence, Reader, type Schema } from './schema.js';

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `value` is plain data; `origin` names it in messages. */
export function parseDocument<T, Raw, P extends Presence>(
  schema: Schema<T, Raw, P>,
  value: unknown,
  origin: string,
): T {
  return unwrap(checkDocument(schema, value, origin));
}

/** Like parseDocument for YAML text; messages carry line numbers. */
export function parseYaml<T, Raw, P extends Presence>(schema: Schema<T, Raw, P>, text: string, origin: string): T {
  return unwrap(checkYaml(schema, text, origin));
}

export function checkDocument<T, Raw, P extends Presence>(
  schema: Schema<T, Raw, P>,
  value: unknown,
  origin: string,
): Checked<T> {
  return check(schema, () => locatePlain(value, origin));
}

export function checkYaml<T, Raw, P extends Presence>(
  schema: Schema<T, Raw, P>,
  text: string,
  origin: string,
): Checked<T> {
  return check(schema, () => locateYaml(text, origin));
}

function check<T, Raw, P extends Presence>(schema: Schema<T, Raw, P>, locate: () => Located): Checked<T> {
  try {
    const reader = new Reader();
    const outcome = schema.read(locate(), '', reader);
    return outcome.ok ? outcome : { ok: false, problems: reader.problems };
  } catch (error) {
    if (error instanceof ConfigError) return { ok: false, problems: error.problems };
    throw error;
  }
}

function unwrap<T>(checked: Checked<T>): T {
  if (!checked.ok) throw new ConfigError(checked.problems);
  return checked.value;
}
