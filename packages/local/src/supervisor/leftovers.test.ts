import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { processIdentity } from '../servers/process-identity.js';
import { prepareDataFolder } from './data-folder.js';
import { claimFolder, stopCluster } from './instance.js';
import { endLeftovers } from './leftovers.js';

/** Writes one line when it is there, so that its signal handler is. */
const stubborn = "process.on('SIGTERM', () => {}); console.log('here'); setInterval(() => {}, 1000)";
const obedient = "console.log('here'); setInterval(() => {}, 1000)";

async function started(script: string): Promise<number> {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

async function folderWith(run: object) {
  const root = await mkdtemp(join(tmpdir(), 'postern-left-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const folder = await prepareDataFolder(root);
  await writeFile(folder.runFile, JSON.stringify(run));
  return folder;
}

const entry = (name: string, pid: number, identity = processIdentity(pid)) => ({ name, pid, identity });

test('what a killed supervisor left is ended; who has the pid of one that ended is not', async () => {
  const [service, store, stranger] = [await started(obedient), await started(obedient), await started(obedient)];
  const folder = await folderWith({
    services: [entry('edge', service), entry('queue', stranger, `1@${processIdentity(stranger)?.split('@')[1]}`)],
    infrastructure: [entry('postgres', store), entry('nats', 2 ** 30, '1@x'), { name: 'redis', pid: stranger }],
  });
  const said: string[] = [];
  await stopCluster(folder, (line) => said.push(line));
  expect(said).toEqual(['ending 2 processes that an earlier run left behind', 'stopped']);
  expect([service, store].map(processIdentity)).toEqual([undefined, undefined]);
  expect(processIdentity(stranger)).toBeDefined();
  await stopCluster(folder, (line) => said.push(line));
  expect(said.at(-1)).toBe(`nothing runs in ${folder.root}`);
});

test('one that does not end when it is told to is killed', async () => {
  const pid = await started(stubborn);
  const folder = await folderWith({ services: [], infrastructure: [entry('nats', pid)] });
  expect(await endLeftovers(folder, () => undefined)).toBe(1);
  expect(processIdentity(pid)).toBeUndefined();
}, 30_000);

test('a folder whose supervisor lives is refused and not touched; one whose pid another process has is taken', async () => {
  const pid = await started(obedient);
  const folder = await folderWith({ services: [entry('edge', pid)], infrastructure: [] });
  await writeFile(folder.instanceFile, JSON.stringify({ pid, identity: processIdentity(pid) }));
  await expect(claimFolder(folder, () => undefined)).rejects.toThrow(`is running already (pid ${pid})`);
  expect(processIdentity(pid)).toBeDefined();
  await writeFile(folder.instanceFile, JSON.stringify({ pid, identity: '1@another' }));
  await claimFolder(folder, () => undefined);
  expect(processIdentity(pid)).toBeUndefined();
});
