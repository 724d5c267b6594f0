/**
 * Values from the environment and the command line, laid over the file. `--set edge.banner=x` wins over
 * POSTERN_EDGE_BANNER, which wins over the file. Lists of plain values may be separated by commas; everything
 * that is no plain value is written as YAML.
 */
import type { Leaf } from './define.js';
import { emptyMap, type Located, type LocatedMap, locateYaml, textScalar } from './located.js';
import { ConfigError, type Problem } from './problem.js';
import { nearest } from './suggest.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export function applyEnvironment(map: LocatedMap, leaves: readonly Leaf[], env: Environment): LocatedMap {
  let result = map;
  for (const leaf of leaves) {
    const text = env[leaf.environment];
    if (text !== undefined && text !== '') {
      const place = `env ${leaf.environment}`;
      result = withValue(result, leaf.keys, fromText(leaf, text, place), place);
    }
  }
  return result;
}

export interface Arguments {
  readonly file: string | undefined;
  readonly sets: readonly { readonly path: string; readonly text: string }[];
}

/** Knows `--config <file>` and `--set <path>=<value>`. A command of the program, such as `rebuild`, stands before them and was taken off. */
export function parseArguments(argv: readonly string[]): Arguments {
  let file: string | undefined;
  const sets: { path: string; text: string }[] = [];
  for (let i = 0; i < argv.length; i++) {
    const [flag = '', inline] = splitOnce(argv[i] ?? '', '=');
    if (flag !== '--config' && flag !== '--set')
      throw new ConfigError([
        argumentProblem(
          flag,
          'unknown; allowed are --config FILE, --set path=value and --help, and before them the command config print',
        ),
      ]);
    const value = inline ?? argv[++i];
    if (value === undefined) throw new ConfigError([argumentProblem(flag, 'needs a value')]);
    if (flag === '--config') {
      file = value;
      continue;
    }
    const [path, text] = splitOnce(value, '=');
    if (text === undefined) throw new ConfigError([argumentProblem(flag, `expected ${path}=<value>`)]);
    sets.push({ path, text });
  }
  return { file, sets };
}

export function applyArguments(map: LocatedMap, leaves: readonly Leaf[], sets: Arguments['sets']): LocatedMap {
  let result = map;
  for (const { path, text } of sets) {
    const leaf = leaves.find((candidate) => candidate.path === path);
    if (leaf === undefined) {
      const near = nearest(
        path,
        leaves.map((candidate) => candidate.path),
      );
      const problem = `${path}: unknown field${near === undefined ? '' : `; did you mean ${near}?`}`;
      throw new ConfigError([argumentProblem('--set', problem)]);
    }
    result = withValue(result, leaf.keys, fromText(leaf, text, 'argument --set'), 'argument --set');
  }
  return result;
}

function argumentProblem(flag: string, message: string): Problem {
  return { place: `argument ${flag}`, path: '', message };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function fromText(leaf: Leaf, text: string, place: string): Located {
  const { textForm } = leaf.schema.kind;
  if (textForm === 'scalar') return textScalar(text, place);
  if (textForm === 'list' && !text.trimStart().startsWith('[')) {
    return { kind: 'list', place, items: text.split(',').map((item) => textScalar(item.trim(), place)) };
  }
  return locateYaml(text, place);
}

function withValue(map: LocatedMap, keys: readonly string[], value: Located, place: string): LocatedMap {
  const [key, ...rest] = keys;
  if (key === undefined) return map;
  const existing = map.entries.get(key);
  const below = existing?.value.kind === 'map' ? existing.value : emptyMap(place);
  const entry = rest.length === 0 ? { place, value } : { place, value: withValue(below, rest, value, place) };
  return { ...map, entries: new Map(map.entries).set(key, entry) };
}
