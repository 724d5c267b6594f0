/**
 * The last resort for a server that is neither installed nor to be fetched: `docker compose` in the foreground, with the same configuration
 * file, user, ports and folder as the program would have. Linux only, since it listens on this machine's own loopback. An image that is not
 * here yet is pulled.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { SetupError } from '../setup-error.js';
import { findOnPath } from './find-binary.js';

const run = promisify(execFile);
const quickMs = 15_000;

/** The images of docker-compose.yml. */
export const images = { nats: 'nats:2.12-alpine', redis: 'redis:7.4' } as const;

export interface ContainerServer {
  readonly name: keyof typeof images;
  /** Program of the image and its arguments. */
  readonly program: readonly string[];
  /** Everything it reads and writes; the compose file is put there too. */
  readonly dir: string;
  /** Further files it reads. */
  readonly reads?: readonly string[];
}

/** How a server runs here: the program itself, or a container in its place. */
export type Runner<B> = { readonly kind: 'program'; readonly binary: B } | { readonly kind: 'container' };

/** Does `docker compose` work, and does its daemon answer? */
async function composeAnswers(): Promise<boolean> {
  if (process.platform !== 'linux' || (await findOnPath('docker')) === undefined) return false;
  try {
    await run('docker', ['compose', 'version'], { timeout: quickMs });
    await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: quickMs });
    return true;
  } catch {
    return false;
  }
}

/** The program when it can be had, else a container when docker answers, else the error with both ways out. */
export async function programOrContainer<B>(
  name: keyof typeof images,
  ensure: () => Promise<B>,
  progress: (line: string) => void,
): Promise<Runner<B>> {
  try {
    return { kind: 'program', binary: await ensure() };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    if (await composeAnswers()) {
      progress(`${error.problem} Using docker compose with ${images[name]} instead`);
      return { kind: 'container' };
    }
    throw new SetupError(error.problem, `${error.wayOut.replace(/\.$/, '')}, or start docker with its compose plugin.`);
  }
}

export function composeDocument({ name, program, dir, reads = [] }: ContainerServer): string {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const volumes = [`${dir}:${dir}`, ...reads.map((file) => `${file}:${file}:ro`)];
  const service = { image: images[name], entrypoint: program, network_mode: 'host', user, volumes, init: true };
  return stringify({ services: { [name]: { ...service, stop_grace_period: '10s' } } });
}

/** Writes the compose file, ends what a killed run left of it, and returns the command that runs it in the foreground. */
export async function composeCommand(server: ContainerServer): Promise<{ command: string; args: readonly string[] }> {
  const file = join(server.dir, 'compose.yaml');
  await mkdir(server.dir, { recursive: true });
  await writeFile(file, composeDocument(server), { mode: 0o600 });
  // Projects are told apart by the folder: two clusters stand side by side.
  const project = `postern-${createHash('sha256').update(server.dir).digest('hex').slice(0, 16)}`;
  const compose = ['compose', '--project-name', project, '--file', file];
  await run('docker', [...compose, 'down', '--timeout', '5'], { timeout: 60_000 });
  return {
    command: 'docker',
    args: [...compose, 'up', '--force-recreate', '--no-log-prefix', '--abort-on-container-exit'],
  };
}
