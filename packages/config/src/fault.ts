/**
 * What a schema of single fields cannot see: two values that do not go together, a name given twice. Told by path; the place is that of
 * the nearest part of the document that was written.
 */
import type { ConfigDefinition } from './define.js';
import type { Located, LocatedMap } from './located.js';
import { type Fields, type ObjectOf, readFields } from './object.js';
import type { Problem } from './problem.js';
import { type ReadMap, salvage } from './salvage.js';
import type { Outcome, Reader } from './schema.js';

export type FieldPath = readonly (string | number)[];

export interface Fault {
  readonly path: FieldPath;
  readonly message: string;
}

/** All of a service's configuration, told together with what single fields are wrong: see `salvage.ts`. */
export function faultsBeside<F extends Fields>(
  definition: ConfigDefinition<F>,
  outcome: Outcome<ObjectOf<F>>,
  document: LocatedMap,
  reader: Reader,
): Problem[] {
  const read = (map: LocatedMap, again: Reader) => readFields(definition.fields, map, '', again);
  return faultsOf(outcome, document, reader, read, (value) => definition.faults(value));
}

/** Faults of what was read, or, where fields are wrong by themselves, those of the rest of the document. */
export function faultsOf<T>(
  outcome: Outcome<T>,
  document: LocatedMap,
  reader: Reader,
  read: ReadMap<T>,
  judge: (value: T) => readonly Fault[],
): Problem[] {
  const located = (value: T, within: LocatedMap): Problem[] =>
    judge(value).map(({ path, message }) => ({ place: placeOf(within, path), path: pathText(path), message }));
  if (outcome.ok) return located(outcome.value, document);
  const salvaged = salvage(document, reader.refusals, read);
  if (salvaged === undefined) return [];
  const faults = located(salvaged.value, salvaged.document).filter((problem) => !salvaged.mayFollow(problem));
  return [...salvaged.problems, ...faults];
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
