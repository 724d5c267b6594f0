/**
 * A whole cluster for one test file, started as a user starts it (`npm start`), in a temporary folder and on ports of its own, and reached only
 * from outside: SMTP, posternctl, metrics, signals to its processes by pid. Nothing of the product is imported.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type RunFile, readRunFile } from './run-file.js';

export const projectRoot = fileURLToPath(new URL('../../../../', import.meta.url));

export interface ClusterOptions {
  /** Called with the data folder before anything is started. */
  readonly prepare?: (dataDir: string) => Promise<void>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly edges?: number;
  readonly policies?: number;
  readonly dns?: string;
  /** Extra environment of every process, e.g. a failpoint. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds until it must serve; default 240,000 (a first run fetches servers). */
  readonly startTimeoutMs?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cluster {
  readonly dataDir: string;
  /** run.json as it is now. */
  run(): Promise<RunFile>;
  port(listener: 'mx' | 'submission' | 'submissions', edge?: number): Promise<number>;
  ctl(...args: string[]): Promise<CommandResult>;
  /** posternctl with --json, parsed. */
  ctlJson(...args: string[]): Promise<unknown>;
  pids(name: string): Promise<number[]>;
  signal(name: string, signal: NodeJS.Signals, index?: number): Promise<number>;
  /** Waits until the process list has a fresh, ready process in place of `pid`. */
  waitReplaced(name: string, pid: number, timeoutMs?: number): Promise<void>;
  /** Waits until every process of that name answers that it is ready. */
  waitReady(name: string, timeoutMs?: number): Promise<void>;
  demoPassword(): Promise<string>;
  writeConfig(config: Readonly<Record<string, unknown>>): Promise<void>;
  output(): string;
  stop(): Promise<void>;
}

/** A base whose ports are free now, below the range of `freePort`. Another cluster may draw the same before this one listens: `startCluster` tries again. */
async function freePortBase(edges: number): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const base = 4_500 + Math.floor(Math.random() * 850) * 8;
    const ports = [465, 525, 587].flatMap((offset) => Array.from({ length: edges }, (_, edge) => base + offset + edge));
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error('no free ports for a cluster');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

const portTaken = /EADDRINUSE|in use by another program/;
const startsAtMost = 3;

/** Rejects with what the start printed. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  for (let starts = 1; ; starts++) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (starts === startsAtMost || !portTaken.test(String(error))) throw error;
    }
  }
}

async function startOnce(options: ClusterOptions): Promise<Cluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
  const configFile = join(dataDir, 'test.yaml');
  const writeConfig = (config: Readonly<Record<string, unknown>>): Promise<void> =>
    writeFile(configFile, stringify(config));
  await writeConfig(options.config ?? {});
  await options.prepare?.(dataDir);
  const portBase = await freePortBase(options.edges ?? 1);
  const args = [
    'packages/local/bin/start.mjs',
    '--data',
    dataDir,
    '--config',
    configFile,
    '--port-base',
    String(portBase),
  ];
  if (options.edges !== undefined) args.push('--edges', String(options.edges));
  if (options.policies !== undefined) args.push('--policies', String(options.policies));
  if (options.dns !== undefined) args.push('--dns', options.dns);
  let output = '';
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: projectRoot,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  let ended = false;
  void exited.then(() => {
    ended = true;
  });

  const cluster: Cluster = {
    dataDir,
    run: () => readRunFile(dataDir),
    async port(listener, edge = 0) {
      const address = (await readRunFile(dataDir)).listeners[listener][edge];
      if (address === undefined) throw new Error(`no ${listener} listener ${edge}`);
      return Number(address.slice(address.lastIndexOf(':') + 1));
    },
    ctl: (...ctlArgs) =>
      runCommand(process.execPath, ['packages/cli/bin/posternctl.mjs', '--data', dataDir, ...ctlArgs]),
    async ctlJson(...ctlArgs) {
      const result = await cluster.ctl('--json', ...ctlArgs);
      if (result.code !== 0) throw new Error(`posternctl ${ctlArgs.join(' ')}: ${result.stderr}`);
      return JSON.parse(result.stdout);
    },
    async pids(name) {
      const { services, infrastructure } = await readRunFile(dataDir);
      return [...services, ...infrastructure].filter((entry) => entry.name === name).map(({ pid }) => pid);
    },
    async signal(name, signal, index = 0) {
      const pid = (await cluster.pids(name))[index];
      if (pid === undefined) throw new Error(`no process ${name} ${index}`);
      process.kill(pid, signal);
      return pid;
    },
    async waitReplaced(name, pid, timeoutMs = 60_000) {
      const end = Date.now() + timeoutMs;
      while (Date.now() < end) {
        const { services, infrastructure } = await readRunFile(dataDir);
        const now = [...services, ...infrastructure].filter((entry) => entry.name === name);
        const fresh = now.length > 0 && now.every((entry) => entry.pid !== pid);
        const metrics = services.filter((entry) => entry.name === name).map((entry) => entry.metrics);
        if (fresh && (await Promise.all(metrics.map(isReady))).every(Boolean)) return;
        await sleep(100);
      }
      throw new Error(`${name} was not replaced in ${timeoutMs} ms\n${output.slice(-2_000)}`);
    },
    async waitReady(name, timeoutMs = 60_000) {
      const end = Date.now() + timeoutMs;
      while (Date.now() < end) {
        const { services } = await readRunFile(dataDir);
        const metrics = services.filter((entry) => entry.name === name).map((entry) => entry.metrics);
        const all = metrics.length >= ({ edge: options.edges, policy: options.policies }[name] ?? 1);
        if (all && (await Promise.all(metrics.map(isReady))).every(Boolean)) return;
        await sleep(100);
      }
      throw new Error(`${name} was not ready in ${timeoutMs} ms\n${output.slice(-2_000)}`);
    },
    async demoPassword() {
      return (await readFile((await readRunFile(dataDir)).demo.passwordFile, 'utf8')).trim();
    },
    writeConfig,
    output: () => output,
    async stop() {
      if (!ended) {
        child.kill('SIGTERM');
        const late = sleep(60_000, 'late' as const);
        if ((await Promise.race([exited, late])) === 'late') {
          child.kill('SIGTERM');
          await exited;
        }
      }
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  const expected = 3 + (options.edges ?? 1) + (options.policies ?? 1);
  const end = Date.now() + (options.startTimeoutMs ?? 240_000);
  while (!ended && Date.now() < end) {
    const run = await readRunFile(dataDir).catch(() => undefined);
    if (
      run !== undefined &&
      run.services.length >= expected &&
      (await Promise.all(run.services.map(({ metrics }) => isReady(metrics)))).every(Boolean)
    ) {
      return cluster;
    }
    await sleep(100);
  }
  await cluster.stop();
  throw new Error(`the cluster did not start:\n${output.slice(-4_000)}`);
}

async function isReady(metrics: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/readyz', metrics), { signal: AbortSignal.timeout(2_000) });
    return response.ok;
  } catch {
    return false;
  }
}

export function runCommand(command: string, args: readonly string[], input?: string): Promise<CommandResult> {
  const child = spawn(command, [...args], { cwd: projectRoot, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}
