import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, FakeClock, systemClock } from '@postern/clock';
import { Metrics } from '@postern/telemetry';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkerPool } from './worker-pool.js';

// Real processes with the built package: a pool that does not outlive kill -9 of a worker is none.
const program = `
  import { runWorker } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
  import { startTelemetry } from ${JSON.stringify(import.meta.resolve('@postern/telemetry'))};
  import { existsSync } from 'node:fs';
  const [broken] = process.argv.slice(2);
  const telemetry = startTelemetry({ level: 'silent', traceSampleRatio: 0 }, 'edge', { processMetrics: false });
  const mail = telemetry.metrics.counter({ name: 'postern_x_mail_total', help: 'h' });
  const nothing = async () => {};
  const start = async () => { if (existsSync(broken)) throw new Error('broken'); mail.inc(10); };
  const service = { name: 'edge', start, drain: async () => mail.inc(1), stop: nothing, ready: () => ({ ok: true, reasons: [] }) };
  await runWorker(service, telemetry, { drainTimeoutMs: 5000 });
`;

let folder: string;
let broken: string;
const pools: WorkerPool[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-workers-'));
  broken = join(folder, 'broken');
  await writeFile(join(folder, 'worker.mjs'), program);
});

afterEach(async () => {
  for (const pool of pools.splice(0)) pool.kill();
  await rm(folder, { recursive: true, force: true });
});

function open(clock: Clock = systemClock) {
  const ends: string[] = [];
  const hung: number[] = [];
  const pool = new WorkerPool({
    program: { file: join(folder, 'worker.mjs'), args: [broken] },
    metrics: new Metrics(),
    drainTimeoutMs: 5_000,
    onStarted: () => undefined,
    onEnded: ({ number }, how, wanted) => ends.push(`${number} ${how} ${wanted}`),
    onHung: ({ number }) => hung.push(number),
    clock,
  });
  pools.push(pool);
  const counted = async (): Promise<number> => Number(/postern_x_mail_total (\d+)/.exec(await pool.text())?.[1]);
  const serving = (): number[] =>
    pool.workers.filter(({ state }) => state.kind === 'running').map(({ number }) => number);
  return { pool, ends, hung, counted, serving };
}

test('a killed worker is replaced and what it counted stays; fewer are drained, the youngest first; a drain ends all', async () => {
  const { pool, ends, counted, serving } = open();
  await pool.start(2);
  expect(serving()).toEqual([1, 2]);
  expect(await counted()).toBe(20);

  const [first] = pool.workers;
  process.kill(first?.pid ?? 0, 'SIGKILL');
  await vi.waitFor(() => expect(serving()).toEqual([2, 3]), { timeout: 10_000 });
  expect(await counted()).toBe(30);

  pool.resize(1);
  await vi.waitFor(() => expect(pool.workers.map(({ number }) => number)).toEqual([2]), { timeout: 10_000 });
  expect(await counted()).toBe(31);

  await pool.drain();
  expect(await counted()).toBe(32);
  expect(ends).toEqual(['1 SIGKILL false', '3 code 0 true', '2 code 0 true']);
});

test('a first worker that cannot start is an error; a later one is tried again until it can', async () => {
  await writeFile(broken, '');
  const failing = open();
  await expect(failing.pool.start(1)).rejects.toThrow('worker 1 ended before it served (code 1)');

  await rm(broken);
  const { pool, ends, serving } = open();
  await pool.start(1);
  await writeFile(broken, '');
  pool.resize(2);
  await vi.waitFor(() => expect(ends.length).toBeGreaterThan(1), { timeout: 20_000 });
  expect(serving()).toEqual([1]);
  await rm(broken);
  await vi.waitFor(() => expect(serving()).toHaveLength(2), { timeout: 20_000 });
});

test('a worker that says nothing for half a minute is ended and replaced', async () => {
  const clock = new FakeClock();
  const { pool, hung, ends, serving } = open(clock);
  await pool.start(1);
  process.kill(pool.workers[0]?.pid ?? 0, 'SIGSTOP');
  await clock.advance(29_000);
  expect(hung).toEqual([]);
  await clock.advance(2_000);
  expect(hung).toContain(1);
  await vi.waitFor(() => expect(ends).toEqual(['1 SIGKILL false']), { timeout: 10_000 });
  await clock.advance(1_000);
  await vi.waitFor(() => expect(serving()).toEqual([2]), { timeout: 10_000 });
});

test('a start that is given up ends', async () => {
  const { pool } = open();
  const started = pool.start(2);
  pool.kill();
  await started;
  expect(pool.workers).toEqual([]);
});
