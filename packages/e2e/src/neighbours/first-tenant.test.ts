/**
 * The commands of docs/first-tenant.md and of the README's first mail, run by a shell as they stand there: only the ports and the folder are
 * those of this test's cluster. Needs curl.
 */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type CommandResult, projectRoot, runCommand, startCluster } from '../cluster/index.js';

let cluster: Cluster;
let dir = '';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-walk-'));
  cluster = await startCluster();
  await symlink(cluster.dataDir, join(dir, '.postern'));
  // What npx does in the repository.
  await mkdir(join(dir, 'bin'));
  const program = join(projectRoot, 'packages', 'cli', 'bin', 'posternctl.mjs');
  const npx = `#!/bin/sh\n[ "$1 $2" = '--offline posternctl' ] || exit 64\nshift 2\nexec '${process.execPath}' '${program}' "$@"\n`;
  await writeFile(join(dir, 'bin', 'npx'), npx, { mode: 0o755 });
});
afterAll(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Shell blocks below the named headings, one script each. */
async function blocksOf(file: string, headings: readonly string[]): Promise<string[]> {
  const text = await readFile(join(projectRoot, file), 'utf8');
  return text
    .split(/^## /m)
    .filter((part) => headings.some((heading) => part.startsWith(`${heading}\n`)))
    .flatMap((part) => [...part.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block));
}

async function run(block: string): Promise<CommandResult> {
  const [mx, submissions] = [await cluster.port('mx'), await cluster.port('submissions')];
  const script = block
    .replaceAll('127.0.0.1:2525', `127.0.0.1:${mx}`)
    .replaceAll('127.0.0.1:2465', `127.0.0.1:${submissions}`);
  const preamble = `set -eu -o pipefail; cd '${dir}'; export PATH='${join(dir, 'bin')}':"$PATH"\n`;
  return runCommand('bash', ['-c', preamble + script]);
}

async function walk(file: string, headings: readonly string[]): Promise<string> {
  const blocks = await blocksOf(file, headings);
  expect(blocks.length).toBeGreaterThanOrEqual(headings.length);
  let said = '';
  for (const block of blocks) {
    const { code, stdout, stderr } = await run(block);
    expect({ block, code, stderr }).toMatchObject({ code: 0 });
    said += stdout + stderr;
  }
  return said;
}

const arrived = async (recipient: string): Promise<void> =>
  vi.waitFor(async () => expect((await cluster.ctl('mailbox')).stdout).toContain(recipient), { timeout: 30_000 });

test('README: the first mail and the first submission arrive, and nothing is left behind', async () => {
  const before = await runCommand('ls', ['-A', dir]);
  const said = await walk('README.md', ['First mail']);
  await arrived('alice@demo.test');
  await arrived('bob@elsewhere.test');
  expect(said).not.toContain('hello.eml');
  expect((await runCommand('ls', ['-A', dir])).stdout).toBe(before.stdout);
});

test('docs/first-tenant.md: a tenant of its own takes mail, submits, looks, and is taken down again', async () => {
  await walk('docs/first-tenant.md', ['Tenant, route, domain, user']);
  const keys = await walk('docs/first-tenant.md', ['A key for the tenant']);
  expect(keys).toContain('carol@acme.test');
  expect(keys).not.toContain('demo');
  expect(await walk('docs/first-tenant.md', ['Send'])).toContain('RCPT failed: 550');
  await arrived('carol@acme.test');
  const looked = await walk('docs/first-tenant.md', ['Look']);
  expect(looked).toMatch(/<carol@acme\.test> {2}delivered, 1 try/);
  expect(looked).toContain('550 5.1.1 No such recipient here');
  expect(looked).toContain('Nothing waits.');
  expect(looked).toContain('Balanced.');
  await walk('docs/first-tenant.md', ['Change, stop, remove']);
  expect((await cluster.ctl('domain', 'list', '--tenant', 'acme')).stdout).not.toContain('acme.test');
});
