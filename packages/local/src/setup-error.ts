/**
 * A failure of the local ground that the person at the terminal can act on: one line that says what is wrong and
 * one way out. It never carries a secret and is printed without a stack; anything else that is thrown is a defect.
 */
export class SetupError extends Error {
  override readonly name = 'SetupError';

  constructor(
    readonly problem: string,
    readonly wayOut: string,
  ) {
    const end = problem.includes('\n') ? '\n' : /[.!?]$/.test(problem) ? ' ' : '. ';
    super(`${problem}${end}Way out: ${wayOut}`);
  }

  /** One line per problem for a terminal; the way out ends the only one, or follows several. */
  get lines(): readonly string[] {
    return this.message.split('\n');
  }
}

/** The code of a Node system error (`EACCES`, `EADDRINUSE` ...), or undefined for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** Translate the system errors a first start meets (rights, space, missing path) into one line with the way out. */
export function explainSystemError(error: unknown, doing: string): unknown {
  const code = systemErrorCode(error);
  const path = error instanceof Error && 'path' in error ? String(error.path) : undefined;
  if (code === 'EACCES' || code === 'EPERM') {
    const where = path === undefined || doing.endsWith(path) ? code : `${code} at ${path}`;
    return new SetupError(`No right to ${doing} (${where}).`, 'choose a folder you own with `-- --data DIR`.');
  }
  if (code === 'EROFS') {
    return new SetupError(
      `Cannot ${doing}: the file system is read-only.`,
      'choose another folder with `-- --data DIR`.',
    );
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    return new SetupError(
      `Cannot ${doing}: ${path ?? 'a part of the path'} is no folder.`,
      'choose another folder with `-- --data DIR`.',
    );
  }
  if (code === 'ENOENT') {
    return new SetupError(
      `Cannot ${doing}: ${path ?? 'the path'} cannot be made there.`,
      'choose another folder with `-- --data DIR`.',
    );
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SetupError(
      `No disk space left to ${doing}.`,
      'free some space or choose another disk with `-- --data DIR`.',
    );
  }
  return error;
}
