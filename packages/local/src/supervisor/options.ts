/**
 * The options of `npm start -- ...`. Every mistake is one line that names the option, the value and what is allowed.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { nearest } from '@postern/config';
import { SetupError } from '../setup-error.js';

export interface StartOptions {
  readonly action: 'run' | 'detach' | 'stop' | 'check' | 'help';
  readonly edges: number;
  readonly policies: number;
  readonly configFile: string | undefined;
  readonly dataDir: string;
  /** `host:port` of the DNS server every service asks; absent = the machine's own. */
  readonly dns: string | undefined;
  readonly portBase: number;
}

export const usage = `npm start -- [options]
  --detach           start in the background and return when it serves
  --stop             stop the cluster of this data folder
  --check            judge the configuration, start nothing
  --edges N          edge processes (1 to 16, default 1)
  --policies N       policy processes (1 to 16, default 1)
  --config FILE      YAML layered over the defaults
  --data DIR         folder that holds everything (default .postern)
  --dns HOST:PORT    DNS server to ask instead of the machine's own
  --port-base N      mx N+525, submission N+587, submissions N+465 (default 2000); edge k adds k
  -h, --help         this text
`;

function integer(option: string, text: string, lowest: number, highest: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= lowest && value <= highest) return value;
  throw new SetupError(
    `--${option} is \`${text}\`; allowed is a whole number from ${lowest} to ${highest}.`,
    'see `npm start -- --help`.',
  );
}

function hostPort(text: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match !== null && port >= 1 && port <= 65_535) return text;
  throw new SetupError(
    `--dns is \`${text}\`; allowed is HOST:PORT, for example 127.0.0.1:5353.`,
    'see `npm start -- --help`.',
  );
}

const known = {
  detach: { type: 'boolean', default: false },
  stop: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  edges: { type: 'string', default: '1' },
  policies: { type: 'string', default: '1' },
  config: { type: 'string' },
  data: { type: 'string', default: '.postern' },
  dns: { type: 'string' },
  'port-base': { type: 'string', default: '2000' },
} as const;

/** A value such as -1 is one: what is allowed is said, not that it looks like an option. */
function joinNegative(args: readonly string[]): string[] {
  const takesValue = (arg: string | undefined) =>
    Object.entries(known).some(([name, { type }]) => type === 'string' && arg === `--${name}`);
  return args.flatMap((arg, index) => {
    if (/^-\d/.test(arg) && takesValue(args[index - 1])) return [];
    const next = args[index + 1] ?? '';
    return takesValue(arg) && /^-\d/.test(next) ? [`${arg}=${next}`] : [arg];
  });
}

/** What Node says, without its advice about `--`, and with the option that was meant. */
function refusal(said: string): string {
  const text = (said.split(/\.?\s*\n|\. /)[0] ?? said).replace(/argument is ambiguous$/, 'argument missing');
  const given = /^(?:Unknown option|Unexpected argument) '(?:--?)?([^'=]+)/.exec(text)?.[1] ?? '';
  const meant = nearest(given, Object.keys(known));
  return meant === undefined ? `${text}.` : `${text} (did you mean --${meant}?).`;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: joinNegative(args), allowPositionals: false, options: known }).values;
  } catch (error) {
    throw new SetupError(refusal(error instanceof Error ? error.message : String(error)), 'see `npm start -- --help`.');
  }
}

/**
 * `npm start --stop` without `--` between them: npm takes the option for its own, tells nobody, and would have a cluster started. It leaves
 * what it took in the environment.
 */
function refuseTakenByNpm(environment: Readonly<Record<string, string | undefined>>): void {
  for (const [name, { type }] of Object.entries(known)) {
    const value = environment[`npm_config_${name.replaceAll('-', '_')}`];
    if (value === undefined || value === '') continue;
    const shown = type === 'boolean' ? `--${name}` : `--${name} ${value === 'true' ? '...' : value}`;
    throw new SetupError(
      `npm took --${name} for an option of its own.`,
      `options of Postern come after \`--\`: \`npm start -- ${shown}\`.`,
    );
  }
}

/** Read the arguments after `--`; relative paths are meant from `standing`. */
export function parseStartOptions(
  args: readonly string[],
  standing: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): StartOptions {
  refuseTakenByNpm(environment);
  const values = parse(args);
  const asked = (['detach', 'stop', 'check'] as const).filter((name) => values[name]);
  if (asked.length > 1) {
    throw new SetupError(`${asked.map((name) => `--${name}`).join(' and ')} exclude each other.`, 'give one of them.');
  }
  const action = values.help ? 'help' : (asked[0] ?? 'run');
  return {
    action,
    edges: integer('edges', values.edges, 1, 16),
    policies: integer('policies', values.policies, 1, 16),
    configFile: values.config === undefined ? undefined : resolve(standing, values.config),
    dataDir: resolve(standing, values.data),
    dns: values.dns === undefined ? undefined : hostPort(values.dns),
    // 587 plus the last edge must still be a port.
    portBase: integer('port-base', values['port-base'], 600, 64_900),
  };
}
