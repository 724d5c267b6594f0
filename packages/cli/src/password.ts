/** Where a password comes from: --password-file, a prompt without echo on a terminal, or the first line of standard input. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { type Readable, Writable } from 'node:stream';
import { PlainError, UsageError } from './usage-error.js';

export interface PasswordOptions {
  readonly password?: string;
  readonly passwordFile?: string;
}

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly error: (text: string) => void;
}

const firstLine = (text: string): string => text.split(/\r?\n/, 1)[0] ?? '';

/** Undefined when none was given and `needed` is false. */
export async function readPassword(
  options: PasswordOptions,
  needed: boolean,
  terminal: Terminal,
  /** What else may be given, for the error. */
  otherwise = '',
): Promise<string | undefined> {
  const { password, passwordFile } = options;
  if (password !== undefined && passwordFile !== undefined) {
    throw new UsageError('give either --password or --password-file, not both');
  }
  if (password !== undefined) {
    terminal.error(
      'warning: a password on the command line is seen by other users of this machine; use --password-file\n',
    );
    return given(password, '--password is empty', otherwise);
  }
  if (passwordFile === '-') return readInput(terminal.input, otherwise);
  if (passwordFile !== undefined) {
    return given(readFirstLine(passwordFile), `the first line of --password-file ${passwordFile} is empty`, otherwise);
  }
  if (!needed) return undefined;
  if (!terminal.input.isTTY) return readInput(terminal.input, otherwise);
  return given(await prompt(terminal), 'nothing was typed', otherwise);
}

/** An empty one would quietly make a login that cannot be used. */
function given(password: string, why: string, otherwise: string): string {
  if (password === '') throw new UsageError(`no password: ${why}${otherwise}`);
  return password;
}

function readFirstLine(file: string): string {
  try {
    return firstLine(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`--password-file ${file} cannot be read (${reason})`);
  }
}

async function readInput(input: Readable, otherwise: string): Promise<string> {
  let text = '';
  for await (const chunk of input.setEncoding('utf8')) {
    text += String(chunk);
    if (text.includes('\n') || text.length > 4_096) break;
  }
  const line = firstLine(text);
  if (line === '')
    throw new UsageError(`no password: give --password-file FILE, or the password on standard input${otherwise}`);
  return line;
}

async function prompt({ input, error }: Terminal): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: silent, terminal: true });
  error('Password: ');
  try {
    return await lines.question('');
  } finally {
    lines.close();
    error('\n');
  }
}
