/**
 * Mistakes in what was typed, said in one line that names the word, with the help of the command that was meant. Commander finds them; the
 * words are ours. A group runs its default command when no other is named, so a wrong name in it looks like an argument too many.
 */
import { type Command, Help } from 'commander';
import type { Host } from './context.js';

/** Words of other tools for the same thing; each is an alias of the first. */
const otherWords: Readonly<Record<string, readonly string[]>> = {
  add: ['create'],
  create: ['add'],
  put: ['add', 'set'],
  list: ['ls'],
  get: ['show'],
  update: ['set'],
  delete: ['remove', 'rm'],
};

/** Help says what is assumed where an option is not given, but not that nothing is; and which have to be given. */
const plainHelp = new Help();
const emptyDefault = / \(default: (?:\[\]|"")\)$/;

/** Errors become values, and go where the host says; also in subcommands. */
export function prepareCommand(command: Command, host: Host): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: host.write,
    writeErr: host.terminal.error,
    outputError: (text, write) => write(`posternctl: ${mistake(text, command)}; ${helpHint(command)}\n`),
  });
  command.configureHelp({
    optionDescription: (option) =>
      `${plainHelp.optionDescription(option).replace(emptyDefault, '')}${option.mandatory ? ' (required)' : ''}`,
  });
  command.showSuggestionAfterError(true);
  const taken = new Set(command.commands.map((child) => child.name()));
  for (const child of command.commands) {
    const words = command.parent === null ? [] : (otherWords[child.name()] ?? []);
    for (const word of words) {
      if (!taken.has(word)) child.alias(word);
      taken.add(word);
    }
    prepareCommand(child, host);
  }
}

export const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;

export const helpHint = (command: Command): string => `see \`${pathOf(command)} --help\``;

function mistake(text: string, command: Command): string {
  const line = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  const extra = /^too many arguments for .* but got \d+: (.*?)(?:, .*)?$/.exec(line)?.[1];
  if (extra === undefined)
    return line.replace(/\((Did you mean .*)\?\)$/, (_, hint: string) => `(${hint.toLowerCase()}?)`);
  const siblings = command.parent?.commands ?? [];
  const isDefault = command.parent?.parent !== null && siblings.length > 1 && command.registeredArguments.length === 0;
  const wanted = `unexpected argument ${JSON.stringify(extra)}`;
  return isDefault ? `${wanted}; commands are ${siblings.map((child) => child.name()).join(', ')}` : wanted;
}
