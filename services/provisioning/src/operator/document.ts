/**
 * Reads the operator file, with an overlay above it, keeping file and line of every value for the messages. Maps are merged, lists are
 * replaced, tenants are joined by name (the overlay's wins). Sections of services in the overlay are not ours and are skipped.
 */
import { readFile } from 'node:fs/promises';
import { ConfigError, type Located, type LocatedMap, locateYaml, type Problem, Reader } from '@postern/config';
import { fileProblems } from './named-files.js';
import { referenceProblems } from './references.js';
import { type OperatorDocument, operatorSchema } from './schema.js';

const foreignSections = new Set([
  ...['edge', 'policy', 'queue', 'delivery', 'provisioning', 'local'],
  ...['nats', 'redis', 'database', 'telemetry', 'scopeKeyFile', 'lifecycle'],
]);
const largestFile = 256 * 1_048_576;

export interface OperatorText {
  readonly file: string;
  readonly text: string;
}

export async function readOperatorText(file: string): Promise<OperatorText> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new ConfigError([{ place: file, path: '', message: `cannot be read (${reason})` }]);
  }
  if (text.length <= largestFile) return { file, text };
  throw new ConfigError([{ place: file, path: '', message: `larger than ${largestFile} bytes` }]);
}

/** Throws ConfigError with one line per problem. No text at all is the empty document: every default. */
export function parseOperatorDocument(texts: readonly OperatorText[]): OperatorDocument {
  const maps = texts.map(({ file, text }, index) => topOf(locateYaml(text, file), index > 0));
  const merged = maps.reduce(merge, { kind: 'map', place: texts[0]?.file ?? 'operator file', entries: new Map() });
  const reader = new Reader();
  const outcome = operatorSchema.read(merged, '', reader);
  if (!outcome.ok) throw new ConfigError(reader.problems);
  const faults = [...referenceProblems(outcome.value), ...fileProblems(outcome.value)];
  const problems: Problem[] = faults.map(({ path, message }) => ({
    place: placeOf(merged, path),
    path: pathText(path),
    message,
  }));
  if (problems.length > 0) throw new ConfigError(problems);
  return outcome.value;
}

function topOf(top: Located, overlay: boolean): LocatedMap {
  if (top.kind !== 'map') {
    if (top.kind === 'scalar' && top.value === null) return { kind: 'map', place: top.place, entries: new Map() };
    throw new ConfigError([{ place: top.place, path: '', message: 'expected a map of sections' }]);
  }
  if (!overlay) return top;
  return { ...top, entries: new Map([...top.entries].filter(([key]) => !foreignSections.has(key))) };
}

function merge(below: LocatedMap, above: LocatedMap): LocatedMap {
  const entries = new Map(below.entries);
  for (const [key, entry] of above.entries) {
    const old = entries.get(key)?.value;
    if (old?.kind === 'map' && entry.value.kind === 'map') {
      entries.set(key, { place: entry.place, value: merge(old, entry.value) });
    } else if (key === 'tenants' && old?.kind === 'list' && entry.value.kind === 'list') {
      const names = new Set(entry.value.items.map(tenantNameOf));
      const kept = old.items.filter((item) => !names.has(tenantNameOf(item)));
      entries.set(key, { place: entry.place, value: { ...entry.value, items: [...kept, ...entry.value.items] } });
    } else entries.set(key, entry);
  }
  return { kind: 'map', place: above.place, entries };
}

function tenantNameOf(item: Located): unknown {
  const name = item.kind === 'map' ? item.entries.get('name')?.value : undefined;
  return name?.kind === 'scalar' ? name.value : undefined;
}

/** The place of the nearest part of the document that was written. */
function placeOf(at: Located, path: readonly (string | number)[]): string {
  const [head, ...rest] = path;
  if (head === undefined) return at.place;
  if (at.kind === 'map') {
    const entry = at.entries.get(String(head));
    return entry === undefined ? at.place : rest.length === 0 ? entry.place : placeOf(entry.value, rest);
  }
  const item = at.kind === 'list' && typeof head === 'number' ? at.items[head] : undefined;
  return item === undefined ? at.place : placeOf(item, rest);
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
