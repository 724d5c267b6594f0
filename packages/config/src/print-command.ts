/**
 * What a service answers on its command line instead of running. `config print` shows the configuration it would run with, secrets masked; `--diff` shows
 * only what differs from the defaults. Takes the same file, environment and arguments as the service, so what is shown is what would be. `--help` names
 * what may be given.
 */
import type { ConfigDefinition } from './define.js';
import { loadConfig } from './load.js';
import type { Fields } from './object.js';
import { printConfig } from './print.js';

/** Commands of one service alone, each with what it does. */
type OwnCommands = Readonly<Record<string, string>>;

export interface CommandLine {
  readonly argv?: readonly string[];
  readonly write?: (text: string) => void;
  readonly commands?: OwnCommands;
}

/** True when the arguments asked for it and it was done. Throws ConfigError like the service itself. */
export function answersCommand<F extends Fields>(
  definition: ConfigDefinition<F>,
  { argv = process.argv.slice(2), write = (text) => void process.stdout.write(text), commands = {} }: CommandLine = {},
): boolean {
  if (argv.some((argument) => argument === '--help' || argument === '-h')) {
    write(usage(definition.name, commands));
    return true;
  }
  const [command, what, ...rest] = argv;
  if (command !== 'config' || what !== 'print') return false;
  const value = loadConfig(definition, { argv: rest.filter((argument) => argument !== '--diff') });
  write(printConfig(definition, value, { diff: rest.includes('--diff') }));
  return true;
}

function usage(name: string, commands: OwnCommands): string {
  const rows = Object.entries({
    'config print': 'show the configuration it would run with, secrets masked, and end',
    'config print --diff': 'the same, only what is not the default',
    ...commands,
  });
  const options = [
    ['--config FILE', `the file of this service (env POSTERN_CONFIG); npm start writes DATA/config/${name}-0.yaml`],
    ['--set path=value', 'one field, over file and environment; any number of times'],
    ['--help, -h', 'this text'],
  ];
  const lines = (table: readonly (readonly string[])[]): string =>
    table.map(([left = '', right = '']) => `  ${left.padEnd(22)}${right}\n`).join('');
  return `Usage: main.js [command] [options]

Runs the service ${name}, or does what the command says:
${lines(rows)}
Options:
${lines(options)}
Fields: docs/reference/config/${name}.md
`;
}
