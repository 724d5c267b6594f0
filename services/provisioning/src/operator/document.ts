/**
 * Reads the operator file, with an overlay above it, keeping file and line of every value for the messages. Maps are merged, lists are
 * replaced, tenants are joined by name (the overlay's wins). Sections of services in the overlay are not ours and are skipped.
 * A problem names the field as it stands in its own file, whatever the merge made of it.
 */
import { readFile } from 'node:fs/promises';
import {
  ConfigError,
  type ConfigText,
  type Fault,
  type FieldPath,
  faultsOf,
  type Located,
  type LocatedMap,
  layMaps,
  locateTop,
  type Problem,
  pathText,
  placeOf,
  Reader,
  reportUnknownKey,
} from '@postern/config';
import { aliasRingNotes } from './alias-rings.js';
import { catchAllNotes } from './catch-alls.js';
import { checkNotes } from './check-notes.js';
import { contradictionNotes } from './contradictions.js';
import { filePoolFaults } from './file-pools.js';
import { fileRuleNotes } from './file-rules.js';
import { flowProblems } from './flow-problems.js';
import { listenerNotes } from './listener-notes.js';
import { listenerProblems } from './listener-problems.js';
import { fileProblems } from './named-files.js';
import { tenantNotes } from './named-tenants.js';
import { referenceProblems } from './references.js';
import { scopeNotes } from './rule-scopes.js';
import { type OperatorDocument, operatorSchema } from './schema.js';
import { wideNetworkNotes } from './wide-networks.js';

/** Of services; what the file says for them is read by each, when it starts. */
export const foreignSections = [
  ...['edge', 'policy', 'queue', 'delivery', 'provisioning'],
  ...['nats', 'redis', 'database', 'telemetry', 'scopeKeyFile', 'lifecycle'],
];
const ownSections = operatorSchema.kind.children().map(({ name }) => name.slice(1));
const largestFile = 256 * 1_048_576;

export async function readOperatorText(file: string): Promise<ConfigText> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new ConfigError([{ place: file, path: '', message: `cannot be read (${reason}); expected a YAML file` }]);
  }
  if (text.length <= largestFile) return { file, text };
  throw new ConfigError([{ place: file, path: '', message: `larger than ${largestFile} bytes` }]);
}

/** Throws ConfigError with one line per problem. No text at all is the empty document: every default. */
export function parseOperatorDocument(texts: readonly ConfigText[]): OperatorDocument {
  const { document, problems } = examineOperatorDocument(texts);
  if (document === undefined || problems.length > 0) throw new ConfigError(problems);
  return document;
}

export interface Examined {
  /** What could be read, faults between its parts included; undefined when a field is wrong by itself. */
  readonly document: OperatorDocument | undefined;
  readonly problems: readonly Problem[];
  /** What only the database can judge. */
  readonly notes: readonly Problem[];
}

export interface Judged {
  /** Whether the files it names are looked at; they are if it is not said. */
  readonly namedFiles?: boolean;
  /** Egress pools there are; undefined = names of pools are not judged. */
  readonly egressPools?: readonly string[] | undefined;
}

export function examineOperatorDocument(
  texts: readonly ConfigText[],
  { namedFiles = true, egressPools }: Judged = {},
): Examined {
  const reader = new Reader();
  const maps = texts.map((text, index) => (index === 0 ? locateTop(text) : overlayOf(text, reader)));
  const merged = maps.reduce(merge, { kind: 'map', place: texts[0]?.file ?? 'operator file', entries: new Map() });
  const ownPath = tenantPaths(maps, merged);
  const outcome = operatorSchema.read(merged, '', reader);
  const read = (map: LocatedMap, again: Reader) => operatorSchema.read(map, '', again);
  const judge = (document: OperatorDocument) => [
    ...documentFaults(document),
    ...(egressPools === undefined ? [] : filePoolFaults(document, egressPools)),
    ...(namedFiles ? fileProblems(document) : []),
  ];
  const found = [...reader.problems, ...faultsOf(outcome, merged, reader, read, judge)];
  const problems = found.map((problem) => ({ ...problem, path: ownPath(problem.path) }));
  const notes = outcome.ok ? notesOf(outcome.value, (path) => isWritten(merged, path)) : [];
  return {
    document: outcome.ok ? outcome.value : undefined,
    problems,
    notes: notes.map(({ path, message }) => ({ place: placeOf(merged, path), path: pathText(path), message })),
  };
}

const notesOf = (document: OperatorDocument, written: (path: FieldPath) => boolean): Fault[] => [
  ...tenantNotes(document),
  ...scopeNotes(document),
  ...catchAllNotes(document),
  ...aliasRingNotes(document),
  ...fileRuleNotes(document),
  ...wideNetworkNotes(document),
  ...listenerNotes(document, written),
  ...contradictionNotes(document),
  ...checkNotes(document, written),
];

/** Fields of maps only. */
function isWritten(map: LocatedMap, path: FieldPath): boolean {
  let at: Located | undefined = map;
  for (const name of path) at = at?.kind === 'map' ? at.entries.get(String(name))?.value : undefined;
  return at !== undefined;
}

const documentFaults = (document: OperatorDocument): Fault[] => [
  ...referenceProblems(document),
  ...listenerProblems(document),
  ...flowProblems(document),
];

/** The overlay without sections of services; what nobody knows is reported here, where all names are known. */
function overlayOf(text: ConfigText, reader: Reader): LocatedMap {
  const top = locateTop(text);
  for (const [key, entry] of top.entries) {
    if (ownSections.includes(key) || foreignSections.includes(key)) continue;
    reportUnknownKey(entry, key, key, [...ownSections, ...foreignSections], reader);
  }
  return { ...top, entries: new Map([...top.entries].filter(([key]) => ownSections.includes(key))) };
}

function merge(below: LocatedMap, above: LocatedMap): LocatedMap {
  const merged = layMaps(below, above);
  const [old, fresh] = [below.entries.get('tenants')?.value, above.entries.get('tenants')];
  if (old?.kind !== 'list' || fresh?.value.kind !== 'list') return merged;
  const names = new Set(fresh.value.items.map(tenantNameOf));
  const items = [...old.items.filter((item) => !names.has(tenantNameOf(item))), ...fresh.value.items];
  const value: Located = { ...fresh.value, items };
  return { ...merged, entries: new Map(merged.entries).set('tenants', { ...fresh, value }) };
}

function tenantNameOf(item: Located): unknown {
  const name = item.kind === 'map' ? item.entries.get('name')?.value : undefined;
  return name?.kind === 'scalar' ? name.value : undefined;
}

const tenantsOf = (map: LocatedMap): readonly Located[] => {
  const tenants = map.entries.get('tenants')?.value;
  return tenants?.kind === 'list' ? tenants.items : [];
};

/** `tenants[n]` of the merged document as it is counted in the file the tenant was written in. */
function tenantPaths(maps: readonly LocatedMap[], merged: LocatedMap): (path: string) => string {
  const written = new Map(maps.flatMap((map) => tenantsOf(map).map((tenant, index) => [tenant, index] as const)));
  const all = tenantsOf(merged);
  return (path) =>
    path.replace(/^tenants\[(\d+)\]/, (text, digits: string) => {
      const tenant = all[Number(digits)];
      const index = tenant === undefined ? undefined : written.get(tenant);
      return index === undefined ? text : `tenants[${index}]`;
    });
}
