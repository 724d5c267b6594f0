/**
 * `npm start`: one cluster on this machine. Reads the options, takes the data folder, starts the cluster, shows what
 * happens, drains on Ctrl-C or SIGTERM and stops at once on the second. One clear line and exit code 1 when it cannot start.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@postern/clock';
import { defaultCacheDir } from './servers/server-cache.js';
import { explainSystemError, SetupError } from './setup-error.js';
import { Cluster } from './supervisor/cluster.js';
import {
  type DataFolder,
  dataFolder,
  discardDataFolder,
  firstMissing,
  prepareDataFolder,
} from './supervisor/data-folder.js';
import { backgroundFlag, newFolderName, startInBackground, tellForeground } from './supervisor/detach.js';
import { claimFolder, hasClaim, refuseRunning, releaseFolder, stopCluster } from './supervisor/instance.js';
import { parseStartOptions, type StartOptions, usage } from './supervisor/options.js';
import { planCluster } from './supervisor/plan.js';
import { welcome } from './supervisor/welcome.js';

const standing = process.env.POSTERN_INVOKED_FROM ?? process.cwd();
const background = process.env[backgroundFlag] === '1';
/** One Ctrl-C can arrive twice, from the terminal and through npm. */
const sameSignalMs = 700;

// A reader that went away (`npm start | head`) is no reason to end the cluster.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

/** In the background lines are read later, so each has its time. */
const timed = (line: string): string => (background ? `${new Date(systemClock.now()).toISOString()} ${line}` : line);

function say(line: string): void {
  process.stdout.write(`${timed(`postern: ${line}`)}\n`);
  if (background) tellForeground({ kind: 'line', line: `postern: ${line}` });
}

const clusterOf = (start: StartOptions, folder: DataFolder) => ({
  start,
  folder,
  // Fetched into the data folder, unless a cache of this user has it already.
  cache: { dir: process.env.POSTERN_CACHE_DIR || folder.cache, alsoLookIn: [defaultCacheDir()] },
  environment: process.env,
  say,
  now: () => new Date(systemClock.now()),
});

/** `--check`: the same judgement as a start's, over a folder that is gone afterwards, so that a running cluster is not touched. */
async function check(options: StartOptions): Promise<number> {
  const root = await mkdtemp(join(tmpdir(), 'postern-check-'));
  try {
    const folder = await prepareDataFolder(root);
    const cluster = new Cluster(clusterOf(options, folder), await planCluster(folder, options));
    await cluster.check();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  const file = options.configFile;
  say(
    file === undefined ? 'the default configuration is right' : `${file} is right, laid over the defaults of npm start`,
  );
  return 0;
}

/** A folder that was made for a start which started nothing is not left behind. */
async function run(options: StartOptions): Promise<number> {
  await refuseRunning(dataFolder(options.dataDir));
  const made = process.env[newFolderName] || (await firstMissing(options.dataDir));
  const folder = await prepareDataFolder(options.dataDir);
  if (options.action === 'detach') {
    const program = fileURLToPath(import.meta.url);
    return startInBackground({ program, args: process.argv.slice(2), folder, standing, made });
  }
  await claimFolder(folder, say);
  let cluster: Cluster | undefined;
  try {
    cluster = await Cluster.plan(clusterOf(options, folder));
    return await serve(cluster, folder);
  } catch (error) {
    const mayDiscard = error instanceof SetupError && cluster?.hasStarted !== true && (await hasClaim(folder));
    await releaseFolder(folder);
    if (mayDiscard && made !== undefined) await discardDataFolder(folder.root, made);
    throw error;
  }
}

async function serve(cluster: Cluster, folder: DataFolder): Promise<number> {
  const ended = Promise.withResolvers<void>();
  let firstSignalAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (firstSignalAt === undefined) {
      firstSignalAt = now;
      say(`${signal}: draining; once more to stop at once`);
      cluster.stop().then(ended.resolve, ended.reject);
    } else if (now - firstSignalAt > sameSignalMs) {
      say('stopping at once');
      cluster.kill();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onSignal(signal));
  try {
    await cluster.start();
    const text = welcome(cluster.describe(), folder.root, standing, background, cluster.shutListeners);
    process.stdout.write(text);
    if (background) tellForeground({ kind: 'serving', text });
    await ended.promise;
  } catch (error) {
    if (firstSignalAt === undefined) {
      await cluster.stop();
      throw error;
    }
    // A start that was interrupted fails with the stop; that is no error.
    await ended.promise;
  }
  await releaseFolder(folder);
  say('stopped');
  return 0;
}

async function main(): Promise<number> {
  const options = parseStartOptions(process.argv.slice(2), standing, process.env);
  if (options.action === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (options.action === 'stop') {
    await stopCluster(dataFolder(options.dataDir), say);
    return 0;
  }
  return options.action === 'check' ? check(options) : run(options);
}

try {
  process.exit(await main());
} catch (thrown) {
  const error = explainSystemError(thrown, 'write to the data folder');
  if (!(error instanceof SetupError)) throw thrown;
  const lines = error.lines.map((text) => `postern: ${text}`);
  const line = lines.join('\n');
  process.stderr.write(`${lines.map(timed).join('\n')}\n`);
  if (background) tellForeground({ kind: 'failed', line });
  process.exit(1);
}
