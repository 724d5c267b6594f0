/**
 * PostgreSQL refuses to run as root. Started by root it runs as `postgres` if the machine has that user, else as `nobody`;
 * no user is created. Where that user could not walk to the programs or the data (a clone under /root), setpriv gives
 * the process the one capability to pass folder permissions; it stays an ordinary user otherwise.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SetupError } from '../setup-error.js';
import { findOnPath } from './find-binary.js';

export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

/** How to start a program: itself, or wrapped by setpriv. */
export interface LaunchPrefix {
  readonly command: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** The user PostgreSQL shall run as, or undefined when we are not root and no change is needed. */
export async function postgresUser(passwdFile = '/etc/passwd'): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile(passwdFile, 'utf8');
  for (const name of ['postgres', 'nobody']) {
    const entry = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd);
    if (entry !== null) return { uid: Number(entry[1]), gid: Number(entry[2]) };
  }
  throw new SetupError(
    'PostgreSQL refuses to run as root and this machine has neither a `postgres` nor a `nobody` user.',
    'run as an ordinary user, or name a running server in POSTERN_DATABASE_URL.',
  );
}

/** Can everybody walk down to this path? */
async function reachableByAll(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** The command line that runs `program` as `user`, who must be able to walk to all `paths`. */
export async function launchAs(
  user: PostgresUser | undefined,
  program: string,
  paths: readonly string[],
): Promise<LaunchPrefix> {
  if (user === undefined) return { command: program, args: [] };
  const reachable = await Promise.all(paths.map(reachableByAll));
  if (reachable.every(Boolean)) return { command: program, args: [], uid: user.uid, gid: user.gid };
  const setpriv = await findOnPath('setpriv');
  if (setpriv === undefined) {
    throw new SetupError(
      `PostgreSQL cannot run as root, and another user cannot reach ${paths.join(' or ')}.`,
      'clone into a folder that others may enter, run as an ordinary user, or install util-linux (setpriv).',
    );
  }
  const capability = '+dac_override';
  return {
    command: setpriv,
    args: [
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
      `--inh-caps=${capability}`,
      `--ambient-caps=${capability}`,
      program,
    ],
  };
}
