/**
 * Starts that must not succeed: wrong `--config` files, wrong options, a port in use, folders without rights. Expected of each: exit code 1 and ONE line that
 * names the file and field (or the option), the value and what is allowed, within a minute; nothing is left running.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../cluster/cluster.js';
import type { Report } from './report.js';

interface BadStart {
  readonly name: string;
  readonly yaml?: string;
  readonly args?: readonly string[];
  /** All must be in the line. */
  readonly says: readonly RegExp[];
  /** Made before the start; undone after it. */
  readonly prepare?: (folder: string) => Promise<() => Promise<void>>;
}

const portBase = 41_000;
const longestLine = 800;

const occupy = (port: number): Promise<() => Promise<void>> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(() => new Promise((done) => server.close(() => done()))));
  });

const file = /bad\.yaml(:\d+)?/;
const tenant = (text: string): string => `tenants:\n  - name: bad\n${text}`;

const badStarts: readonly BadStart[] = [
  { name: 'port in use', says: [/41525/, /in use/], prepare: () => occupy(portBase + 525) },
  {
    name: 'no such file',
    args: ['--config', '/nowhere/at-all.yaml'],
    says: [/at-all\.yaml/, /ENOENT|no such|cannot be read/],
  },
  { name: 'data folder is a file', args: ['--data', '/dev/null'], says: [/\/dev\/null/] },
  { name: 'unknown option', args: ['--edgse', '2'], says: [/--edgse/] },
  { name: 'edges out of range', args: ['--edges', '99'], says: [/--edges/, /99/, /1 to 16/] },
  { name: 'edges no number', args: ['--edges', 'two'], says: [/--edges/, /two/, /whole number/] },
  { name: 'dns without port', args: ['--dns', '127.0.0.1'], says: [/--dns/, /HOST:PORT/] },
  { name: 'port base', args: ['--port-base', '80'], says: [/--port-base/, /80/, /600/] },
  { name: 'no YAML', yaml: 'limits: [1, 2\n', says: [file] },
  { name: 'not a map', yaml: '- 1\n- 2\n', says: [/bad\.yaml/, /map/] },
  { name: 'unknown section', yaml: 'limtis:\n  connections: 1\n', says: [file, /limtis/, /limits/] },
  { name: 'unknown key', yaml: 'limits:\n  conections: 1\n', says: [file, /limits\.conections/, /connections/] },
  { name: 'negative number', yaml: 'limits:\n  connections: -1\n', says: [file, /limits\.connections/, /-1/] },
  { name: 'text for a number', yaml: 'limits:\n  connections: many\n', says: [file, /limits\.connections/, /many/] },
  { name: 'bad duration', yaml: 'limits:\n  interval: 5 parsecs\n', says: [file, /limits\.interval/, /5 parsecs/] },
  { name: 'bad size', yaml: 'limits:\n  messageSize: 10 stones\n', says: [file, /limits\.messageSize/, /10 stones/] },
  { name: 'bad CIDR', yaml: 'trustedProxies: [10.0.0.0/33]\n', says: [file, /trustedProxies\[0\]/, /10\.0\.0\.0\/33/] },
  {
    name: 'bad enumeration',
    yaml: 'checks:\n  spf:\n    onFail: shout\n',
    says: [file, /checks\.spf\.onFail/, /shout/, /reject/],
  },
  {
    name: 'bad port of a next hop',
    yaml: 'nextHops:\n  x:\n    hosts: [{ host: h.test, port: 70000 }]\n',
    says: [file, /nextHops\.x\.hosts\[0\]\.port/, /70000/, /65535|65,535/],
  },
  { name: 'next hop without hosts', yaml: 'nextHops:\n  x: {}\n', says: [file, /nextHops\.x/, /hosts/] },
  {
    name: 'missing next hop',
    yaml: tenant('    domains: [{ name: bad.test, nextHop: nowhere }]\n'),
    says: [file, /nextHop/, /nowhere/],
  },
  {
    name: 'bad domain',
    yaml: tenant('    domains: [{ name: "not a domain" }]\n'),
    says: [file, /domains\[0\]\.name/, /not a domain/],
  },
  {
    name: 'domain of two tenants',
    yaml: `${tenant('    domains: [{ name: two.test }]\n')}  - name: worse\n    domains: [{ name: two.test }]\n`,
    says: [file, /two\.test/],
  },
  {
    name: 'user of another domain',
    yaml: tenant('    domains: [{ name: bad.test }]\n    users: [{ address: a@other.test }]\n'),
    says: [file, /a@other\.test/],
  },
  {
    name: 'password file missing',
    yaml: tenant(
      '    domains: [{ name: bad.test }]\n    users: [{ address: a@bad.test, passwordFile: /nowhere/pw }]\n',
    ),
    says: [file, /passwordFile/, /\/nowhere\/pw/],
  },
  {
    name: 'duplicate key',
    yaml: 'limits: { connections: 1 }\nlimits: { connections: 2 }\n',
    says: [file, /limits|unique|duplicate/i],
  },
  {
    name: 'unknown key of a service',
    yaml: 'edge:\n  inlineLimti: 1KiB\n',
    says: [file, /edge\.inlineLimti/, /inlineLimit/],
  },
  {
    name: 'bad value of a service',
    yaml: 'delivery:\n  concurrency: lots\n',
    says: [file, /delivery\.concurrency/, /lots/],
  },
  { name: 'bad rule', yaml: 'rules:\n  - name: broken\n    when: "1 +"\n', says: [file, /rules\[0\]/] },
  {
    name: 'data folder without rights',
    args: ['--data', '{folder}/locked/data'],
    says: [/No right|EACCES|locked/],
    prepare: async (folder) => {
      await mkdir(join(folder, 'locked'));
      await chmod(join(folder, 'locked'), 0o555);
      return () => chmod(join(folder, 'locked'), 0o755);
    },
  },
];

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
  if (lines.length !== 1) problems.push(`${lines.length} lines on stderr`);
  if (stderr.length > longestLine) problems.push(`${stderr.length} characters`);
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
