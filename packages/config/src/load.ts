/**
 * The one place that reads configuration files and the environment. Order, the last wins: defaults, file, environment,
 * arguments. Throws ConfigError with every problem found, one line each. Reads once, at the start, synchronously.
 */
import { readFileSync } from 'node:fs';
import { type ConfigDefinition, leavesOf } from './define.js';
import { faultsBeside } from './fault.js';
import { locateTop, ownKeys } from './layers.js';
import { emptyMap } from './located.js';
import { type Fields, type ObjectOf, readFields } from './object.js';
import { applyArguments, applyEnvironment, type Environment, parseArguments } from './overrides.js';
import { ConfigError } from './problem.js';
import { Reader } from './schema.js';

export interface ConfigSources {
  /** Path of the YAML file. Default: `--config`, else POSTERN_CONFIG, else no file. */
  readonly file?: string;
  /** Default: the environment of the process. */
  readonly env?: Environment;
  /** Arguments without program and script. Default: those of the process. */
  readonly argv?: readonly string[];
}

const largestFile = 16 * 1_048_576;

export function loadConfig<F extends Fields>(
  definition: ConfigDefinition<F>,
  sources: ConfigSources = {},
): ObjectOf<F> {
  const env = sources.env ?? process.env;
  const args = parseArguments(sources.argv ?? process.argv.slice(2));
  const leaves = leavesOf(definition.fields);
  const reader = new Reader();
  const file = sources.file ?? args.file ?? (env.POSTERN_CONFIG || undefined);
  const written =
    file === undefined
      ? emptyMap('configuration')
      : ownKeys(locateTop({ file, text: readText(file) }), definition, reader);
  const map = applyArguments(applyEnvironment(written, leaves, env), leaves, args.sets);
  const outcome = readFields(definition.fields, map, '', reader);
  const problems = [...reader.problems, ...faultsBeside(definition, outcome, map, reader)];
  if (!outcome.ok || problems.length > 0) throw new ConfigError(problems);
  return outcome.value;
}

function readText(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length <= largestFile) return text;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new ConfigError([{ place: file, path: '', message: `cannot be read (${reason})` }]);
  }
  throw new ConfigError([{ place: file, path: '', message: `larger than ${largestFile} bytes` }]);
}
