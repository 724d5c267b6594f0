/**
 * `config print` of every service: shows the configuration it would run with, secrets masked, and ends. `--diff` shows only what differs from the defaults.
 * Takes the same file, environment and arguments as the service, so what is shown is what would be.
 */
import type { ConfigDefinition } from './define.js';
import { loadConfig } from './load.js';
import type { Fields } from './object.js';
import { printConfig } from './print.js';

/** True when the arguments asked for it and it was done. Throws ConfigError like the service itself. */
export function printsConfig<F extends Fields>(
  definition: ConfigDefinition<F>,
  argv: readonly string[] = process.argv.slice(2),
  write: (text: string) => void = (text) => void process.stdout.write(text),
): boolean {
  const [command, what, ...rest] = argv;
  if (command !== 'config' || what !== 'print') return false;
  const value = loadConfig(definition, { argv: rest.filter((argument) => argument !== '--diff') });
  write(printConfig(definition, value, { diff: rest.includes('--diff') }));
  return true;
}
