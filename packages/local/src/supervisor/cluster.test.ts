import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigCheck } from '@postern/config';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { processExists } from '../servers/folder-lock.js';
import { freePort, portIsFree } from '../servers/free-port.js';
import { sharedCache } from '../servers/server-cache.js';
import { Cluster } from './cluster.js';
import { type DataFolder, prepareDataFolder } from './data-folder.js';
import { parseStartOptions } from './options.js';
import type { RunFile } from './run-file.js';

/** A service small enough for a test: ready at once, writes down when it was told to stop. */
const fakeService = `
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
const file = process.argv[process.argv.indexOf('--config') + 1];
const text = readFileSync(file, 'utf8');
if (text.includes('breakAtStart: true')) {
  console.error(file + ':3: edge.breakAtStart: true is not allowed; expected false');
  process.exit(78);
}
const port = Number(/metrics: "?127\\.0\\.0\\.1:(\\d+)/.exec(text)[1]);
createServer((request, response) => response.end('ok')).listen(port, '127.0.0.1');
process.on('SIGTERM', () => {
  appendFileSync(process.env.DRAIN_LOG, file.replace(/.*\\/|\\.yaml/g, '') + '\\n');
  process.exit(0);
});
`;

/** Finds nothing wrong with what is YAML, and passes on what the small service reads. */
const fakeChecker: ConfigCheck = ({ overlays: [overlay] }) => {
  const { edge, telemetry } = overlay === undefined ? {} : parse(overlay.text);
  return { problems: [], sections: { ...(edge && { edge }), ...(telemetry && { telemetry }) } };
};

let dir = '';
let folder: DataFolder;
let program = '';
const clusters: Cluster[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-cluster-'));
  program = join(dir, 'fake-service.mjs');
  await writeFile(program, fakeService);
  process.env.DRAIN_LOG = join(dir, 'drained');
});
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.stop();
  await rm(join(dir, 'drained'), { force: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Of two edges. */
async function freeBase(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const base = await freePort();
    const ports = [465, 525, 587].flatMap((offset) => [base + offset, base + offset + 1]);
    if ((await Promise.all(ports.map((port) => portIsFree(port)))).every(Boolean)) return base;
  }
  throw new Error('no free ports for a cluster');
}

async function cluster(
  args: readonly string[],
  said: string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<Cluster> {
  const options = parseStartOptions(
    ['--data', join(dir, 'data'), '--port-base', String(await freeBase()), ...args],
    dir,
  );
  folder = await prepareDataFolder(options.dataDir);
  const made = await Cluster.plan({
    start: options,
    folder,
    cache: sharedCache(),
    environment,
    say: (line) => said.push(line),
    now: () => new Date(),
    program: () => program,
    checkerOf: () => Promise.resolve(fakeChecker),
  });
  clusters.push(made);
  return made;
}

const readRun = async (): Promise<RunFile> => JSON.parse(await readFile(folder.runFile, 'utf8'));
const pidOf = async (name: string) =>
  [...(await readRun()).services, ...(await readRun()).infrastructure].find((entry) => entry.name === name)?.pid ?? 0;

test('a cluster starts, names itself in run.json, restarts what is killed on the same ports, and drains in order', async () => {
  const said: string[] = [];
  const running = await cluster(['--edges', '2', '--policies', '2'], said);
  await running.start();
  const run = await readRun();
  expect(run.listeners.mx).toHaveLength(2);
  const [first = '', second = ''] = run.listeners.mx.map((address) => address.split(':')[1]);
  expect(Number(second)).toBe(Number(first) + 1);
  expect(run.services.map((service) => service.name).sort()).toEqual([
    'delivery',
    'edge',
    'edge',
    'policy',
    'policy',
    'provisioning',
    'queue',
  ]);
  expect(run.infrastructure.map((part) => part.name).sort()).toEqual(['mailbox', 'nats', 'postgres', 'redis']);
  expect(run.demo).toMatchObject({ domain: 'demo.test', user: 'alice@demo.test' });
  expect((await stat(run.demo.passwordFile)).mode & 0o777).toBe(0o600);
  expect(await readFile(run.ca, 'utf8')).toContain('BEGIN CERTIFICATE');
  for (const service of run.services) expect((await fetch(`${service.metrics}/readyz`)).ok).toBe(true);

  for (const name of ['edge', 'nats', 'postgres', 'redis', 'mailbox']) {
    const before = await pidOf(name);
    process.kill(before, 'SIGKILL');
    await expect
      .poll(
        async () => {
          const now = await readRun();
          // What is down stays listed with the pid it had.
          expect(now.infrastructure.map((part) => part.name)).toEqual(run.infrastructure.map((part) => part.name));
          expect(now.services.map(({ instance }) => instance)).toEqual(run.services.map(({ instance }) => instance));
          return [...now.services, ...now.infrastructure].find((entry) => entry.name === name)?.pid;
        },
        { timeout: 10_000, interval: 10 },
      )
      .not.toBe(before);
    await expect.poll(() => said.join('\n'), { timeout: 20_000 }).toMatch(new RegExp(`${name}(-0)? serves again`));
    expect(said.join('\n')).toMatch(new RegExp(`${name}(-0)? \\(pid ${before}\\) ended by itself \\(SIGKILL\\)`));
  }
  const again = await expect
    .poll(readRun, { timeout: 10_000 })
    .toSatisfy(({ services, infrastructure }: RunFile) =>
      [...services, ...infrastructure].every(({ state }) => state === 'running'),
    )
    .then(readRun);
  expect(again.listeners).toEqual(run.listeners);
  expect(again.infrastructure.map((part) => part.address).sort()).toEqual(
    run.infrastructure.map((part) => part.address).sort(),
  );

  await running.stop();
  const drained = (await readFile(join(dir, 'drained'), 'utf8'))
    .trim()
    .split('\n')
    .map((name) => name.split('-')[0]);
  expect(drained).toEqual(['edge', 'edge', 'policy', 'policy', 'delivery', 'queue', 'provisioning']);
  for (const entry of [...again.services, ...again.infrastructure]) expect(processExists(entry.pid)).toBe(false);
}, 120_000);

test('listeners of the own file stand in run.json, one address per edge', async () => {
  const [port, dial] = [await freePort(), 'role: mx'];
  const file = join(dir, 'partners.yaml');
  const listeners = (step: number) =>
    `edge:\n  moreListeners:\n    - { name: partners, ${dial}, address: "127.0.0.1:${port}" }\n    - { name: inner, ${dial}, address: "127.0.0.1:${port + step}" }\n`;
  await writeFile(file, listeners(1));
  const clashing = await cluster(['--config', file, '--edges', '2']);
  await expect(clashing.start()).rejects.toThrow(
    `partners.yaml:4: edge.moreListeners[1].address: "127.0.0.1:${port + 1}" leads to a port that two edges want: 127.0.0.1:${port + 1} is of inner of edge-0 and of partners of edge-1`,
  );
  await writeFile(file, listeners(2));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(port + 3, '127.0.0.1', resolve));
  const refused = await cluster(['--config', file, '--edges', '2']);
  await expect(refused.start()).rejects.toThrow(`Port ${port + 3} (inner of edge-1) cannot be had on 127.0.0.1`);
  await new Promise((resolve) => taken.close(resolve));
  const running = await cluster(['--config', file, '--edges', '2']);
  await running.start();
  expect((await readRun()).listeners).toMatchObject({
    mx: [expect.anything(), expect.anything()],
    partners: [`127.0.0.1:${port}`, `127.0.0.1:${port + 1}`],
    inner: [`127.0.0.1:${port + 2}`, `127.0.0.1:${port + 3}`],
  });
  expect(await readRun()).toMatchObject({ configFile: file });
}, 120_000);

test('over the same folder it starts again, and each service has a role that sees only its own schema', async () => {
  const said: string[] = [];
  const running = await cluster([], said);
  await running.start();
  // The one before had one, and options hold for one start.
  const before = join(dir, 'partners.yaml');
  expect(said.join('\n')).toContain(`started without the --config of last time, ${before}: its checks, limits,`);
  const run = await readRun();
  expect(run).toMatchObject({ configFileBefore: before });
  expect(run).not.toHaveProperty('configFile');
  const { database } = parse(await readFile(join(folder.config, 'queue-0.yaml'), 'utf8'));
  const url = new URL(database.url);
  url.password = (await readFile(database.passwordFile, 'utf8')).trim();
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query('create table proof (n int)');
    expect((await client.query('select schemaname from pg_tables where tablename = $1', ['proof'])).rows).toEqual([
      { schemaname: 'mail' },
    ]);
    await expect(client.query('create table config.proof (n int)')).rejects.toThrow(
      'permission denied for schema config',
    );
    await client.query('drop table proof');
  } finally {
    await client.end();
  }
  expect(
    (await fetch(`${running.describe().infrastructure.find((part) => part.name === 'nats')?.http}/healthz`)).ok,
  ).toBe(true);
}, 120_000);

test('sections of --config reach the service; a wrong value there ends the start with the words of the service', async () => {
  const file = join(dir, 'own.yaml');
  await writeFile(file, 'edge:\n  breakAtStart: true\ntelemetry:\n  level: debug\nlimits:\n  connections: 5\n');
  const running = await cluster(['--config', file]);
  await expect(running.start()).rejects.toThrow('edge.breakAtStart: true is not allowed; expected false');
  const written = parse(await readFile(join(folder.config, 'edge-0.yaml'), 'utf8'));
  expect(written).toMatchObject({ edge: { breakAtStart: true }, telemetry: { level: 'debug' } });
  expect(written).not.toHaveProperty('limits');
}, 120_000);

test('a public port in use is one clear line before anything starts', async () => {
  const base = await freePort();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(base + 525, '127.0.0.1', resolve));
  try {
    await expect(cluster(['--port-base', String(base)])).rejects.toThrow(
      `Port ${base + 525} (mx) is in use by another program. Way out:`,
    );
  } finally {
    taken.close();
  }
});

test.each([
  ['POSTERN_NATS_URL', 'nats://127.0.0.1:1', '127.0.0.1:1, cannot be reached: nothing listens there.'],
  ['POSTERN_REDIS_URL', 'redis://nowhere.invalid', 'nowhere.invalid:6379, cannot be reached: its name '],
  ['POSTERN_DATABASE_URL', 'postgres://u:secret@127.0.0.1:1/x', '127.0.0.1:1, cannot be reached'],
  ['POSTERN_NATS_URL', 'nats://127.0.0.1:1,nats://127.0.0.1:2', '127.0.0.1:1, cannot be reached: nothing listens'],
  ['POSTERN_NATS_URL', 'nats://127.0.0.1:1,127.0.0.1:2', 'is not a URL of the form nats://user:password@host:port'],
  ['POSTERN_REDIS_URL', 'redis://127.0.0.1:1,redis://127.0.0.1:2', 'names several servers'],
  ['POSTERN_NATS_URL', '127.0.0.1:4222', 'is not a URL of the form nats://user:password@host:port'],
])('%s that names no running server ends the start before anything is started', async (name, url, message) => {
  const said: string[] = [];
  const running = await cluster([], said, { [name]: url });
  const refusal = await running.start().catch((error: unknown) => String(error));
  expect(refusal).toContain(name);
  expect(refusal).toContain(message);
  expect(refusal).not.toContain('secret');
  expect(said).toEqual([]);
  expect(running.describe().infrastructure).toEqual([]);
});
