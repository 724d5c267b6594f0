import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';

// A real process with the built package: signals, exit codes and the last log lines are what the platform sees.
const program = (body: string): string => `
  import { main, runService } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
  import { startTelemetry } from ${JSON.stringify(import.meta.resolve('@postern/telemetry'))};
  const telemetry = startTelemetry({ level: 'info', traceSampleRatio: 0 }, 'edge');
  const nothing = async () => {};
  const service = { name: 'edge', start: nothing, drain: nothing, stop: nothing, ready: () => ({ ok: true, reasons: [] }) };
  const run = (parts) => runService({ ...service, ...parts }, telemetry, { drainTimeoutMs: 60000, metricsAddress: { host: '127.0.0.1', port: 0 } });
  const keepAlive = setInterval(() => {}, 1000);
  await main(async () => { ${body} });
`;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(body: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(body)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    output.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.err += chunk.toString();
  });
  const closed = once(child, 'close');
  const logged = async (text: string): Promise<void> => {
    while (!output.out.includes(text)) await once(child.stdout, 'data');
  };
  return { child, output, logged, exitCode: async (): Promise<unknown> => (await closed)[0] };
}

test('SIGTERM ends with 0 and the last state is in the log', async () => {
  const { child, output, logged, exitCode } = start('await run({});');
  await logged('"to":"running"');
  child.kill('SIGTERM');
  expect(await exitCode()).toBe(0);
  expect(output.out).toContain('"to":"stopped"');
  expect(output.err).toBe('');
});

test('a second signal ends a drain that hangs', async () => {
  const { child, logged, exitCode } = start('await run({ drain: () => new Promise(() => {}) });');
  await logged('"to":"running"');
  child.kill('SIGTERM');
  await logged('"to":"draining"');
  child.kill('SIGTERM');
  expect(await exitCode()).toBe(1);
});

test('a failed start is one line on standard error and code 1', async () => {
  const { output, exitCode } = start(`await run({ start: async () => { throw new Error('port taken'); } });`);
  expect(await exitCode()).toBe(1);
  expect(output.err).toBe('postern-edge: could not start: port taken\n');
});

test.each([
  ['SIGTERM', 0, ''],
  ['an exception nobody handles', 1, 'setTimeout(() => { throw new Error("lost"); }, 300);'],
])('a log on a full disk: the service runs on, and %s ends it with %i', async (_, code, fault) => {
  const body = `await run({ start: async () => { for (let n = 0; n < 5000; n++) telemetry.log.info('a.b', { n });
    setInterval(() => process.send(n++), 20); ${fault} } });`;
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, ['--input-type=module', '-e', `let n = 0; ${program(body)}`], {
    stdio: ['ignore', full, full, 'ipc'],
  });
  closeSync(full);
  children.push(child);
  const closed = once(child, 'close');
  for (let beats = 0; beats < 5; beats++) await once(child, 'message');
  if (fault === '') child.kill('SIGTERM');
  expect((await closed)[0]).toBe(code);
});

test('a rejection nobody handles is logged before the process ends with 1', async () => {
  const { output, exitCode } = start(`void run({ start: async () => { Promise.reject(new Error('lost')); } });`);
  expect(await exitCode()).toBe(1);
  expect(output.out).toContain('lifecycle.fault.caught');
  expect(output.err).toBe('postern-edge: unhandled rejection: lost\n');
});
