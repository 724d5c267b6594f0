/**
 * What a schema of single fields cannot see: two values that do not go together, a name given twice. Told by path; the place is that of
 * the nearest part of the document that was written.
 */
import type { ConfigDefinition } from './define.js';
import type { Located } from './located.js';
import type { Fields, ObjectOf } from './object.js';
import type { Problem } from './problem.js';

export type FieldPath = readonly (string | number)[];

export interface Fault {
  readonly path: FieldPath;
  readonly message: string;
}

export function faultProblems<F extends Fields>(
  definition: ConfigDefinition<F>,
  value: ObjectOf<F>,
  document: Located,
): Problem[] {
  return definition.faults(value).map(({ path, message }) => ({
    place: placeOf(document, path),
    path: pathText(path),
    message,
  }));
}

export function placeOf(at: Located, path: FieldPath): string {
  const [head, ...rest] = path;
  if (head === undefined) return at.place;
  if (at.kind === 'map') {
    const entry = at.entries.get(String(head));
    return entry === undefined ? at.place : rest.length === 0 ? entry.place : placeOf(entry.value, rest);
  }
  const part = at.kind === 'list' && typeof head === 'number' ? at.items[head] : undefined;
  return part === undefined ? at.place : placeOf(part, rest);
}

export function pathText(path: FieldPath): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
