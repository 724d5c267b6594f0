/** `npm start` as a process: what it leaves behind when it cannot start. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { freePort } from './servers/free-port.js';
import { processIdentity } from './servers/process-identity.js';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const run = promisify(execFile);
let dir = '';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-main-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
});

async function refused(...args: string[]): Promise<string> {
  const outcome = await run(process.execPath, [program, ...args], { cwd: dir }).then(
    () => 'started',
    (error: { stderr: string; stdout: string }) => `${error.stdout}${error.stderr}`,
  );
  return outcome;
}

async function takenPortBase(): Promise<number> {
  const base = await freePort();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(base + 525, '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  return base;
}

test.each([[[]], [['--detach']]])(
  'a start that started nothing leaves no folder of its own behind: %j',
  async (more) => {
    const base = String(await takenPortBase());
    await mkdir(join(dir, 'kept'));
    const args = ['--data', join('kept', 'new', 'data'), '--port-base', base, ...more];
    expect(await refused(...args)).toMatch(/^postern: Port \d+ \(mx\) is in use by another program\. Way out: .*\n$/);
    expect(await readdir(join(dir, 'kept'))).toEqual([]);
    await writeFile(join(dir, 'own.yaml'), 'limits: { conections: 5 }\n');
    const wrong = ['--data', 'new', '--port-base', String(await freePort()), '--config', 'own.yaml', ...more];
    expect(await refused(...wrong)).toMatch(/own\.yaml:1: limits\.conections: unknown key/);
    expect(await readdir(dir)).toEqual(['kept', 'own.yaml']);
  },
);

test('a folder that was there before stays as it was', async () => {
  await mkdir(join(dir, 'data', 'mailbox'), { recursive: true });
  await writeFile(join(dir, 'data', 'mailbox', 'mail'), 'kept');
  await refused('--data', 'data', '--port-base', String(await takenPortBase()));
  expect(await readFile(join(dir, 'data', 'mailbox', 'mail'), 'utf8')).toBe('kept');
});

test('a start into the folder of a running cluster writes nothing there', async () => {
  const data = join(dir, 'data');
  await mkdir(data);
  const record = { pid: process.pid, identity: processIdentity(process.pid) };
  await writeFile(join(data, 'supervisor.json'), JSON.stringify(record));
  for (const more of [[], ['--detach']])
    expect(await refused('--data', 'data', ...more)).toMatch(
      new RegExp(`^postern: A cluster of ${data} is running already \\(pid ${process.pid}\\)\\. Way out: .*\\n$`),
    );
  expect(await readdir(data)).toEqual(['supervisor.json']);
});

test('in the background every line has its time; the one in front shows it without', async () => {
  await mkdir(join(dir, 'data'));
  const shown = await refused('--data', 'data', '--port-base', String(await takenPortBase()), '--detach');
  expect(shown).toMatch(/^postern: Port \d+ \(mx\) is in use/);
  const log = await readFile(join(dir, 'data', 'logs', 'supervisor.log'), 'utf8');
  expect(log).toMatch(/^(\d{4}-\d\d-\d\dT[\d:.]+Z postern: \S.*\n)+$/);
});

test('--check says what it has looked at', async () => {
  await writeFile(join(dir, 'own.yaml'), 'limits: { connections: 5 }\n');
  const { stdout } = await run(process.execPath, [program, '--check', '--config', 'own.yaml'], { cwd: dir });
  expect(stdout).toMatch(/^postern: \S*own\.yaml is right, laid over the defaults of npm start\n$/);
});
