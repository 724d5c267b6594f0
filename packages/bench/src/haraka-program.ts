/**
 * Haraka, a program the bench runs beside us and nothing of ours: this version, fetched from npm with the user's own client into the shared cache once per machine, never a dependency.
 * Without scripts and optional packages, so that nothing is compiled and nothing of it runs until it is started.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, SetupError, sharedCache } from '@postern/local';

export const harakaVersion = '3.3.4';

/** Its newest libmime asks for versions of its own dependencies that not every registry has. */
const manifest = { private: true, dependencies: { Haraka: harakaVersion }, overrides: { libmime: '5.4.3' } };
const patienceMs = 180_000;

/** npm as this process was started by it, else npm on the PATH; rejects with its last words. */
function npmInstall(folder: string): Promise<void> {
  const script = process.env.npm_execpath;
  const [command, before] = script?.endsWith('.js') === true ? [process.execPath, [script]] : ['npm', []];
  const flags = ['--omit=optional', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, 'install', '--prefix', folder, ...flags], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: patienceMs,
    });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-2_000);
    });
    child.once('error', reject);
    child.once('close', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`npm install ended with ${code ?? signal}: ${words.trim()}`)),
    );
  });
}

/** The file that starts it. */
export async function ensureHaraka(cache = sharedCache()): Promise<string> {
  const name = `haraka-${harakaVersion}`;
  const file = join(cache.dir, name, 'node_modules', 'Haraka', 'haraka.js');
  const present = async (): Promise<string | undefined> =>
    (await stat(file).catch(() => undefined)) === undefined ? undefined : file;
  const fetch = async (): Promise<void> => {
    const folder = await mkdtemp(join(cache.dir, `${name}.part-`));
    try {
      await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
      await npmInstall(folder);
      await rename(folder, join(cache.dir, name));
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      const reason = error instanceof Error ? error.message : String(error);
      throw new SetupError(
        `Haraka ${harakaVersion} could not be fetched from npm: ${reason}`,
        'check the npm registry, or run the bench without it: -- --peers node-null,edge-accept',
      );
    }
  };
  const found = await cached(cache, name, present, fetch);
  if (found === undefined) throw new SetupError(`npm brought no ${file}.`, 'remove its folder and run this again.');
  return found;
}
