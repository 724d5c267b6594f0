// `npm run check`: everything that is demanded of the source besides passing tests. Each step is one command; all run,
// and the end says which failed. Steps: format and lint, types, import boundaries, unused code, protos, generated code.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boundaryViolations } from './boundaries.mjs';
import { ensureInstalled, pinnedEnvironment, root } from './pinned.mjs';

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

const steps = [
  [
    'lockfile for every platform',
    () => command(process.execPath, [join(root, 'packages', 'local', 'bin', 'complete-lock.mjs'), '--check']),
  ],
  ['format and lint (biome)', () => command(bin('biome'), ['ci', '--colors=off', '.'])],
  ['types (tsc -b)', () => command(bin('tsc'), ['-b'])],
  ['import boundaries', () => boundaryViolations(root).join('\n')],
  ['unused code (knip)', () => command(bin('knip'), ['--no-progress'])],
  ['proto style (buf lint)', () => command(bin('buf'), ['lint'], protoFolder)],
  [
    'proto compatibility (buf breaking)',
    () => command(bin('buf'), ['breaking', '--against', 'baseline.binpb'], protoFolder),
  ],
  ['generated proto code', generatedDrift],
  [
    'generated reference',
    () => command(process.execPath, [join(root, 'packages', 'local', 'bin', 'reference.mjs'), '--check']),
  ],
];

const only = process.argv.slice(2);
let failures = 0;
for (const [name, step] of steps) {
  if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
  const started = performance.now();
  const problem = step();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${problem === '' ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  if (problem !== '') {
    failures += 1;
    const lines = problem.split('\n');
    process.stdout.write(`${lines.slice(0, linesShown).join('\n')}\n`);
    if (lines.length > linesShown) process.stdout.write(`... and ${lines.length - linesShown} lines more\n`);
  }
}
process.stdout.write(failures === 0 ? 'check: all steps passed\n' : `check: ${failures} steps failed\n`);
process.exitCode = failures === 0 ? 0 : 1;
