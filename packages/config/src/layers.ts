/**
 * One configuration given in several texts, the later above the earlier: maps are merged, everything else is replaced. Every value keeps the
 * file and line it was written in, so that a problem is said where it can be corrected. Only the first text must hold nothing foreign.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { type ConfigDefinition, leavesOf } from './define.js';
import { faultsBeside } from './fault.js';
import { filesIn, resolveFiles } from './file-paths.js';
import { emptyMap, type LocatedMap, locateYaml } from './located.js';
import { asMap, type Fields, type ObjectOf, readFields, reportUnknownKey } from './object.js';
import { applyEnvironment, type Environment } from './overrides.js';
import { type PlainValue, plainOf } from './plain.js';
import { ConfigError, type Problem } from './problem.js';
import { Reader } from './schema.js';

export interface ConfigText {
  /** Named in problems; relative paths of files are taken from its folder. */
  readonly file: string;
  readonly text: string;
}

/** What `checkConfig` of a service is given: the text generated for it, those above, and the operator settings below the overlays. */
export interface ConfigCheckInput {
  readonly base: ConfigText;
  readonly overlays: readonly ConfigText[];
  readonly env: Environment;
  readonly operatorFile?: ConfigText;
}

export interface ConfigCheckResult {
  readonly problems: readonly Problem[];
  /** The overlays' sections that are this service's, ready to be written to another folder: paths of files made absolute. */
  readonly sections: Readonly<Record<string, PlainValue>>;
  /** What only other servers know to be wrong or right: told, and refused by them. */
  readonly notes?: readonly Problem[];
  /** Egress pools the whole configuration names for it: those there are, of the service that makes them; those it takes, of another. */
  readonly egressPools?: readonly string[] | undefined;
}

export interface CheckedLayers<F extends Fields> extends ConfigCheckResult {
  /** Undefined when a field is wrong by itself. */
  readonly value: ObjectOf<F> | undefined;
}

export type ConfigCheck = (input: ConfigCheckInput) => ConfigCheckResult;

/** The top of a text as a map; throws ConfigError when it is no YAML or no map. */
export function locateTop({ file, text }: ConfigText): LocatedMap {
  const top = locateYaml(text, file);
  const map = asMap(top);
  if (map !== undefined) return map;
  const message = 'expected a map of sections, such as `limits:` with its settings indented below';
  throw new ConfigError([{ place: top.place, path: '', message }]);
}

export function layMaps(below: LocatedMap, above: LocatedMap): LocatedMap {
  const entries = new Map(below.entries);
  for (const [key, entry] of above.entries) {
    const old = entries.get(key)?.value;
    const value = old?.kind === 'map' && entry.value.kind === 'map' ? layMaps(old, entry.value) : entry.value;
    entries.set(key, { place: entry.place, value });
  }
  return { kind: 'map', place: above.place, entries };
}

/** Drops sections of other services and reports what nobody knows. */
export function ownKeys(map: LocatedMap, definition: ConfigDefinition<Fields>, reader: Reader): LocatedMap {
  const own = Object.keys(definition.fields);
  for (const [key, entry] of map.entries) {
    if (!own.includes(key) && !definition.foreign.has(key)) reportUnknownKey(entry, key, key, own, reader);
  }
  return sectionsOf(map, definition);
}

const sectionsOf = (map: LocatedMap, definition: ConfigDefinition<Fields>): LocatedMap => ({
  ...map,
  entries: new Map([...map.entries].filter(([key]) => Object.hasOwn(definition.fields, key))),
});

/** Everything that is wrong with the texts together; files that an overlay names must be readable, but those made when missing. */
export function checkLayers<F extends Fields>(
  definition: ConfigDefinition<F>,
  { base, overlays, env }: ConfigCheckInput,
  madeWhenMissing: readonly string[] = [],
): CheckedLayers<F> {
  const reader = new Reader();
  try {
    const above = overlays
      .map((overlay) => sectionsOf(locateTop(overlay), definition))
      .reduce(layMaps, emptyMap(base.file));
    const written = layMaps(ownKeys(locateTop(base), definition, reader), above);
    const map = applyEnvironment(written, leavesOf(definition.fields), env);
    const outcome = readFields(definition.fields, map, '', reader);
    const faults = faultsBeside(definition, outcome, map, reader);
    const missing = unreadable(definition.fields, above).filter(({ path }) => !madeWhenMissing.includes(path));
    return {
      problems: [...reader.problems, ...faults, ...missing],
      sections: plainSections(definition.fields, above),
      value: outcome.ok ? outcome.value : undefined,
    };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, sections: {}, value: undefined };
    throw error;
  }
}

function plainSections(fields: Fields, map: LocatedMap): Record<string, PlainValue> {
  return Object.fromEntries(
    [...map.entries].map(([key, { value }]) => {
      const schema = fields[key];
      return [key, plainOf(schema === undefined ? value : resolveFiles(schema, value))];
    }),
  );
}

/** Fields that name one. */
const isFolder = /Directory$/;

function unreadable(fields: Fields, map: LocatedMap): Problem[] {
  return filesIn(fields, map).flatMap(({ place, path, file }) => {
    try {
      accessSync(file, constants.R_OK);
      if (isFolder.test(path) || !statSync(file).isDirectory()) return [];
      return [{ place, path, message: `${JSON.stringify(file)} is a folder; expected a readable file` }];
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      return [{ place, path, message: `${JSON.stringify(file)} cannot be read (${reason}); expected a readable file` }];
    }
  });
}
