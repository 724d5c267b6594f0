/**
 * Tries every start of bad-starts.ts. Expected of each: exit code 1 and ONE line that
 * names the file and field (or the option), the value and what is allowed, within a minute, before any process is started. Several mistakes are one line each.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../cluster/cluster.js';
import { type BadStart, badStarts, portBase } from './bad-starts.js';
import type { Report } from './report.js';

const longestLine = 800;

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
}

function start(args: readonly string[], timeoutMs: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['packages/local/bin/start.mjs', ...args], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => child.kill('SIGTERM'), timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

async function tryStart(bad: BadStart): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-bad-'));
  const args = ['--data', join(folder, 'data'), '--port-base', String(portBase)];
  if (bad.yaml !== undefined) {
    await writeFile(join(folder, 'bad.yaml'), bad.yaml);
    args.push('--config', join(folder, 'bad.yaml'));
  }
  args.push(...(bad.args ?? []).map((arg) => arg.replace('{folder}', folder)));
  const undo = await bad.prepare?.(folder);
  const { code, stderr, stdout } = await start(args, 60_000);
  await undo?.();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  const lines = stderr.split('\n').filter((line) => line !== '');
  const problems: string[] = [];
  if (code !== 1) problems.push(`exit code ${code}`);
  const expected = bad.mistakes === undefined ? 1 : bad.mistakes + 1;
  if (lines.length !== expected) problems.push(`${lines.length} lines on stderr, not ${expected}`);
  if (lines.some((line) => line.length > longestLine)) problems.push(`${stderr.length} characters`);
  if (stdout.includes('postern: starting')) problems.push('something was started');
  if (/"event":|^\s+at /m.test(stderr)) problems.push('a log line or a stack in it');
  for (const pattern of bad.says) if (!pattern.test(stderr)) problems.push(`does not say ${pattern}`);
  return problems.length === 0
    ? []
    : [
        `${bad.name}: ${problems.join(', ')}: ${JSON.stringify(stderr.slice(0, 500))} ${code === 1 ? '' : JSON.stringify(stdout.slice(-300))}`,
      ];
}

export async function fuzzConfigurations(report: Report): Promise<void> {
  // Root may write everywhere: the case proves nothing then.
  const root = process.getuid?.() === 0;
  for (const bad of badStarts) {
    if (root && bad.name === 'data folder without rights') continue;
    await report.part(bad.name, async () => report.check(`start refused: ${bad.name}`, await tryStart(bad)));
  }
}
