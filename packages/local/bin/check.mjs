// `npm run check`: everything that is demanded of the source besides passing tests. Each step is one command and one task of turbo.json;
// all run, and the end says which failed. `npm run check -- STEP ...` runs the named ones here, without turbo.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boundaryViolations } from './boundaries.mjs';
import { ensureInstalled, give, pinnedEnvironment, root } from './pinned.mjs';

ensureInstalled();
const bin = (name) => join(root, 'node_modules', '.bin', name);
const protoFolder = join(root, 'proto');
const linesShown = 200;

function command(program, args, cwd = root) {
  const result = spawnSync(program, args, {
    cwd,
    env: pinnedEnvironment(),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const text = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
  return result.status === 0 ? '' : text || `${program} ended with ${result.status ?? result.signal}`;
}

/** Generate again beside the working tree and compare, so that a check never changes it. */
function generatedDrift() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-proto-'));
  try {
    const failure = command(bin('buf'), ['generate', '-o', folder], protoFolder);
    return failure || command('diff', ['-r', join(protoFolder, 'gen'), join(folder, 'gen')]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const steps = {
  lock: [
    'lockfile for every platform',
    () => command(process.execPath, [join(root, 'packages', 'local', 'bin', 'complete-lock.mjs'), '--check']),
  ],
  lint: ['format and lint (biome)', () => command(bin('biome'), ['ci', '--colors=off', '.'])],
  types: ['types (tsc -b)', () => command(bin('tsc'), ['-b'])],
  imports: ['import boundaries', () => boundaryViolations(root).join('\n')],
  unused: ['unused code (knip)', () => command(bin('knip'), ['--no-progress'])],
  'proto-style': ['proto style (buf lint)', () => command(bin('buf'), ['lint'], protoFolder)],
  'proto-compatibility': [
    'proto compatibility (buf breaking)',
    () => command(bin('buf'), ['breaking', '--against', 'baseline.binpb'], protoFolder),
  ],
  'proto-code': ['generated proto code', generatedDrift],
  reference: [
    'generated reference',
    () => command(process.execPath, [join(root, 'packages', 'local', 'bin', 'reference.mjs'), '--check']),
  ],
};

/** All steps beside each other, those whose files are as they were at their last success from turbo's cache. Nothing leaves the machine. */
function everyStep() {
  const tasks = Object.keys(steps).map((name) => `check:${name}`);
  const options = ['--ui=stream', '--log-prefix=none', '--no-update-notifier', '--env-mode=loose', '--continue=always'];
  const result = spawnSync(bin('turbo'), ['run', ...tasks, ...options, '--concurrency=2', '--cache=local:rw'], {
    cwd: root,
    env: pinnedEnvironment({
      TURBO_TELEMETRY_DISABLED: '1',
      DO_NOT_TRACK: '1',
      TURBO_PRINT_VERSION_DISABLED: '1',
      npm_config_loglevel: 'silent',
    }),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = `${result.stdout}${result.stderr}`.split('\n');
  const told = lines.filter((line) => line.trim() !== '' && !/^(• |cache (hit|miss|bypass)|> |\$ )/.test(line.trim()));
  process.stdout.write(`${told.join('\n')}\n`);
  process.stdout.write(result.status === 0 ? 'check: all steps passed\n' : 'check: some steps failed\n');
  return result.status === 0 ? 0 : 1;
}

function oneByOne(names) {
  let failures = 0;
  for (const name of names) {
    const [title, step] = steps[name];
    const started = performance.now();
    const problem = step();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${problem === '' ? 'ok    ' : 'FAILED'} ${title} (${seconds} s)\n`);
    if (problem === '') continue;
    failures += 1;
    const lines = problem.split('\n');
    process.stdout.write(`${lines.slice(0, linesShown).join('\n')}\n`);
    if (lines.length > linesShown) process.stdout.write(`... and ${lines.length - linesShown} lines more\n`);
  }
  return failures === 0 ? 0 : 1;
}

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(steps, name));
if (unknown !== undefined) give(`check: no step ${unknown}; steps are ${Object.keys(steps).join(', ')}`);
process.exitCode = asked.length === 0 ? everyStep() : oneByOne(asked);
