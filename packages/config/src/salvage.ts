/**
 * What is left of a document when the parts that are wrong by themselves are taken out, so that faults between the others are told in the same go. A field
 * that is taken out has its default; where that cannot be, the entry or map around it goes too. Errs to silence: what may be wrong only because
 * something was taken out is not told, and nothing is when a map or list is not even one.
 */
import type { Located, LocatedMap } from './located.js';
import type { Problem } from './problem.js';
import { type Outcome, Reader, type Refusal } from './schema.js';

export type ReadMap<T> = (map: LocatedMap, reader: Reader) => Outcome<T>;

export interface Salvaged<T> {
  readonly value: T;
  readonly document: LocatedMap;
  /** Conditions over several fields of one map, seen only now, that do not follow from what was taken out. */
  readonly problems: readonly Problem[];
  /** It may be there only because something was taken out. */
  mayFollow(problem: Problem): boolean;
}

/** A part that is taken out may leave its surroundings wrong, and those theirs: not deeper than this. */
const mostRounds = 8;
const shortestName = 2;
/** With more names gone than this, nothing more is told. */
const mostNames = 1_000;

class Trace {
  /** Maps that lost a field: their other fields may no longer fit to it. */
  readonly #maps = new Set<string>();
  /** Parts that lost an entry: whatever is in them may have meant it. */
  readonly #parts: string[] = [];
  /** What entries that are gone were called. */
  readonly #names = new Set<string>();

  lostField(map: string): void {
    this.#maps.add(map);
  }

  lostEntry(owner: string, gone: Located, name = ''): void {
    this.#parts.push(owner);
    if (name !== '') this.#names.add(name);
    this.#collect(gone);
  }

  mayFollow({ path, message }: Problem): boolean {
    return (
      this.#names.size > mostNames ||
      this.#maps.has(ownerOf(path)) ||
      [...this.#maps].some((map) => isWithin(map, path)) ||
      this.#parts.some((part) => isWithin(path, part)) ||
      [...this.#names].some((name) => name.length >= shortestName && message.includes(name))
    );
  }

  #collect(at: Located): void {
    if (this.#names.size > mostNames) return;
    if (at.kind === 'scalar' && typeof at.value === 'string') this.#names.add(at.value);
    if (at.kind === 'list') for (const item of at.items) this.#collect(item);
    if (at.kind !== 'map') return;
    for (const { value } of at.entries.values()) this.#collect(value);
  }
}

const ownerOf = (path: string): string => path.replace(/(^|\.)[^.[\]]*$|\[\d+\]$/, '');

const isWithin = (path: string, part: string): boolean =>
  path === part || (path.startsWith(part) && ['.', '['].includes(path.charAt(part.length)));

export function salvage<T>(
  document: LocatedMap,
  refusals: readonly Refusal[],
  read: ReadMap<T>,
): Salvaged<T> | undefined {
  const trace = new Trace();
  const problems: Problem[] = [];
  let map = document;
  let wrong = refusals;
  for (let round = 0; round < mostRounds; round++) {
    if (wrong.some(({ kind }) => kind === 'shape')) return undefined;
    const left = without(map, new Map(wrong.map(({ at, kind }) => [at, kind])), trace);
    if (left === undefined || left === map) return undefined;
    map = left;
    const reader = new Reader();
    const outcome = read(map, reader);
    if (outcome.ok)
      return { value: outcome.value, document: map, problems, mayFollow: (problem) => trace.mayFollow(problem) };
    wrong = reader.refusals;
    const seen = wrong.filter(({ kind, problem }) => kind === 'value' && !trace.mayFollow(problem));
    problems.push(...seen.map(({ problem }) => problem));
  }
  return undefined;
}

type Marks = ReadonlyMap<Located, Refusal['kind']>;

/** The document without what is marked; itself when nothing is, undefined when it is marked as a whole. */
function without(document: LocatedMap, marks: Marks, trace: Trace): LocatedMap | undefined {
  if (marks.has(document)) return undefined;
  const map = cut(document, '', '', marks, trace);
  return map.kind === 'map' ? map : undefined;
}

/** `owner` is the path of what a lost entry of this part may be missed in. */
function cut(at: Located, path: string, owner: string, marks: Marks, trace: Trace): Located {
  if (at.kind === 'scalar') return at;
  if (at.kind === 'list') {
    const items = at.items.flatMap((item, index) => {
      const part = `${path}[${index}]`;
      if (!marks.has(item)) return [cut(item, part, part, marks, trace)];
      trace.lostEntry(owner, item);
      return [];
    });
    return items.length === at.items.length && items.every((item, index) => item === at.items[index])
      ? at
      : { ...at, items };
  }
  const entries = new Map(
    [...at.entries].flatMap(([key, entry]) => {
      const part = path === '' ? key : `${path}.${key}`;
      const mark = marks.get(entry.value);
      if (mark === undefined)
        return [[key, { ...entry, value: cut(entry.value, part, path === '' ? part : path, marks, trace) }] as const];
      if (mark !== 'unknown' && entry.value.kind === 'scalar') trace.lostField(path);
      else if (mark !== 'unknown') trace.lostEntry(path === '' ? part : path, entry.value, key);
      return [];
    }),
  );
  const same =
    entries.size === at.entries.size && [...entries].every(([key, { value }]) => at.entries.get(key)?.value === value);
  return same ? at : { ...at, entries };
}
