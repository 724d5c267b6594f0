// The first lines of every npm script: plain JavaScript for whatever Node the machine has (20.11 or newer).
// Installs what package-lock.json names if something is missing, builds if something changed, then runs the program
// on the pinned Node that the installation brought. It never touches the system, and package-lock.json is never changed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const binFolder = join(root, 'node_modules', '.bin');

/** Print one line and end; the line says what is wrong and the way out. */
export function give(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
  } catch {
    return undefined;
  }
}

/** Does node_modules hold what package-lock.json names? Compared by content: file times mean nothing after a checkout. */
export function installationIsCurrent() {
  const wanted = readLock(join(root, 'package-lock.json'));
  const present = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (
      !path.startsWith('node_modules/') ||
      entry.optional === true ||
      entry.devOptional === true ||
      entry.peer === true
    )
      continue;
    const there = present[path];
    if (there === undefined || there.version !== entry.version) return false;
  }
  return true;
}

const installationExists = () => existsSync(join(root, 'node_modules', '.package-lock.json'));

function run(command, args, environment) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: environment });
}

/** npm as this process was started by it, else npm on the PATH. */
function npm(args) {
  const script = process.env.npm_execpath;
  const environment = { ...process.env, NODE_ENV: 'development' };
  return script?.endsWith('.js') && existsSync(script)
    ? run(process.execPath, [script, ...args], environment)
    : run('npm', args, environment);
}

export function ensureInstalled() {
  if (installationIsCurrent()) return;
  process.stderr.write('postern: installing the packages named by package-lock.json (npm ci) ...\n');
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  // npm's own pauses between tries make a machine without network wait two minutes and a half for its answer.
  const pauses = ['--fetch-retry-mintimeout=2000', '--fetch-retry-maxtimeout=10000'];
  const result = npm(['ci', '--include=dev', '--include=optional', ...quiet, ...pauses]);
  if (result.status !== 0) {
    give(
      'postern: npm ci failed (see above). Way out: check the network and the npm registry, then run the same command again.',
    );
  }
}

/** Path of the pinned Node; the machine's own if that is new enough and the platform has no pinned one. */
export function pinnedNode() {
  const pinned = join(binFolder, 'node');
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  return give(
    `postern: no pinned Node for ${process.platform}-${process.arch}, and this Node is ${process.versions.node}. Way out: use Node 22.19 or newer.`,
  );
}

/** Environment in which `node`, `npx` tools and their children are the pinned ones. */
export function pinnedEnvironment(more = {}) {
  return { ...process.env, PATH: `${binFolder}${delimiter}${process.env.PATH ?? ''}`, ...more };
}

export function ensureBuilt() {
  const fresh = !existsSync(join(root, 'packages', 'local', 'dist', 'index.js'));
  if (fresh) process.stderr.write('postern: building (tsc -b) ...\n');
  const result = run(join(binFolder, 'tsc'), ['-b'], pinnedEnvironment());
  if (result.status !== 0)
    give('postern: the build failed (see above). Way out: correct the source, or check out a released version.');
}

/** Installed and built at least once: what needs nothing newer may run. */
export function canRun() {
  return installationExists() && existsSync(join(root, 'packages', 'local', 'dist', 'main.js'));
}

/** Run a program on the pinned Node in the foreground; resolves with its exit code. Signals are passed on. */
export function runPinned(args, environment = {}) {
  const child = spawn(pinnedNode(), args, { cwd: root, stdio: 'inherit', env: pinnedEnvironment(environment) });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', (error) => give(`postern: cannot run ${args[0]}: ${error.message}`));
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 130)));
  });
}
