/**
 * Options of a suite that is run by hand (`npm run chaos -- --messages 1000`): each has a default, and a number where the default is one. `--help` says
 * what there is and how long it takes; what nobody knows, or is no number, ends the program with one line.
 */
import { parseArgs } from 'node:util';

type Defaults = Readonly<Record<string, string | number>>;

type Named<D extends Defaults, T> = { [K in keyof D]: D[K] extends T ? K : never }[keyof D];

/** Values by the kind of their default. */
export interface SuiteValues<D extends Defaults> {
  number(name: Named<D, number>): number;
  text(name: Named<D, string>): string;
}

export type SuiteOptions =
  | { readonly kind: 'run'; readonly values: ReadonlyMap<PropertyKey, string | number> }
  | { readonly kind: 'told'; readonly text: string; readonly wrong: boolean };

export interface Suite<D extends Defaults> {
  /** As npm runs it. */
  readonly name: string;
  /** How long, in words. */
  readonly takes: string;
  readonly defaults: D;
}

export function readSuiteOptions({ name, takes, defaults }: Suite<Defaults>, argv: readonly string[]): SuiteOptions {
  const names = Object.keys(defaults);
  const wrong = (why: string): SuiteOptions => ({
    kind: 'told',
    wrong: true,
    text: `${name}: ${why}; options are ${['--help', ...names.map((option) => `--${option}`)].join(', ')}`,
  });
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries([
      ...names.map((option) => [option, { type: 'string' as const }]),
      ['help', { type: 'boolean' as const }],
    ]),
    strict: false,
    tokens: true,
  });
  const values = new Map<PropertyKey, string | number>(Object.entries(defaults));
  for (const token of tokens) {
    if (token.kind === 'positional') return wrong(`${token.value} is no option`);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') return { kind: 'told', wrong: false, text: usage(name, takes, defaults) };
    const known = defaults[token.name];
    if (known === undefined) return wrong(`${token.rawName} is unknown`);
    if (token.value === undefined) return wrong(`${token.rawName} needs a value`);
    if (typeof known === 'number' && !/^\d+(\.\d+)?$/.test(token.value))
      return wrong(`${token.rawName} ${token.value} is no number`);
    values.set(token.name, typeof known === 'number' ? Number(token.value) : token.value);
  }
  return { kind: 'run', values };
}

const usage = (name: string, takes: string, defaults: Defaults): string =>
  [
    `npm run ${name} (${takes})`,
    ...Object.entries(defaults).map(([option, value]) => `  -- --${option} ${value === '' ? '...' : value}`),
  ].join('\n');

/** For a program: the options it goes on with; it ends here where it was asked for help or wrongly. */
export function suiteOptions<D extends Defaults>(suite: Suite<D>): SuiteValues<D> {
  const read = readSuiteOptions(suite, process.argv.slice(2));
  if (read.kind === 'told') {
    (read.wrong ? process.stderr : process.stdout).write(`${read.text}\n`);
    process.exit(read.wrong ? 2 : 0);
  }
  process.stderr.write(`${suite.name}: ${suite.takes}\n`);
  const { values } = read;
  return {
    number: (name) => Number(values.get(name)),
    text: (name) => String(values.get(name)),
  };
}
