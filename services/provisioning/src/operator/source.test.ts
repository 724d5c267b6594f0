import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@postern/clock';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openOperatorSource } from './source.js';

async function watched(text = 'hostname: one.test\n', secret = '') {
  const dir = await mkdtemp(join(tmpdir(), 'postern-operator-source-'));
  const file = join(dir, 'operator.yaml');
  const secretFile = join(dir, 'carol.password');
  if (secret !== '') await writeFile(secretFile, secret);
  await writeFile(file, text);
  const source = await openOperatorSource({ files: [file] }, systemClock, (error) => Promise.reject(error));
  const seen: (string | undefined)[] = [];
  source.watch(
    () => seen.push(source.current().hostname),
    (error) => seen.push(`refused: ${error.message}`),
  );
  onTestFinished(async () => {
    source.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { file, secretFile, source, seen };
}

test('a file that is emptied before it is written again never takes its settings away', async () => {
  const { file, seen } = await watched();
  await writeFile(file, '');
  // As long as a busy machine may leave a writer between truncating and writing.
  await sleep(700);
  await writeFile(file, 'hostname: two.test\n');
  await vi.waitFor(() => expect(seen).toEqual(['two.test']), { timeout: 5_000 });
});

test('a file written in pieces is read when it rests', async () => {
  const { file, seen } = await watched();
  await writeFile(file, 'hostname: tw');
  for (const piece of ['hostname: two', 'hostname: two.', 'hostname: two.test\n']) {
    await sleep(60);
    await writeFile(file, piece);
  }
  await vi.waitFor(() => expect(seen).toEqual(['two.test']), { timeout: 5_000 });
});

test('an empty file that stays empty is what the operator wants', async () => {
  const { file, source, seen } = await watched();
  await writeFile(file, '');
  await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 5_000 });
  expect(source.current().hostname).not.toBe('one.test');
});

const carol = `hostname: one.test
tenants:
  - name: acme
    domains: [{ name: acme.test }]
    users: [{ address: carol@acme.test, passwordFile: carol.password }]
`;

test('what a named file holds is watched: another password is a change, a wrong one is refused until it is right', async () => {
  const { secretFile, seen } = await watched(carol, 'a first password');
  await writeFile(secretFile, 'another password');
  await vi.waitFor(() => expect(seen).toEqual(['one.test']), { timeout: 8_000 });
  await writeFile(secretFile, 'short');
  await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 8_000 });
  expect(seen[1]).toMatch(
    /^refused: .*:5: tenants\[0\]\.users\[0\]\.passwordFile: ".*" holds 5 characters; expected a/,
  );
  await rm(secretFile);
  await vi.waitFor(() => expect(seen).toHaveLength(3), { timeout: 8_000 });
  expect(seen[2]).toContain('cannot be read (ENOENT)');
  await writeFile(secretFile, 'a third password');
  await vi.waitFor(() => expect(seen.slice(3)).toEqual(['one.test']), { timeout: 8_000 });
}, 40_000);

test('a file that is gone is said once, and is in effect again when it is back as it was', async () => {
  const { file, seen } = await watched();
  await rm(file);
  await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 5_000 });
  expect(seen[0]).toMatch(/^refused: .*cannot be read \(ENOENT\)/);
  await sleep(1_500);
  expect(seen).toHaveLength(1);
  await writeFile(file, 'hostname: one.test\n');
  await vi.waitFor(() => expect(seen.slice(1)).toEqual(['one.test']), { timeout: 5_000 });
});

test('sections of services that changed since the services were started are named, whatever is read first', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'postern-operator-source-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const [base, own, taken] = ['operator.yaml', 'own.yaml', 'own-at-start.yaml'].map((name) => join(dir, name));
  if (base === undefined || own === undefined || taken === undefined) throw new Error('no files');
  await writeFile(base, 'hostname: one.test\n');
  await writeFile(taken, 'edge: { maxHops: 20 }\n');
  await writeFile(own, 'edge: { maxHops: 21 }\n');
  const open = (takenFile?: string) =>
    openOperatorSource({ files: [base, own], takenFile }, systemClock, (error) => Promise.reject(error));
  const source = await open(taken);
  expect(source.postponed()).toEqual([`${own}:1: edge.maxHops`]);
  const later = await open();
  expect(later.postponed()).toEqual([]);
  const changes: string[][] = [];
  later.watch(
    () => changes.push([...later.postponed()]),
    () => undefined,
  );
  await writeFile(own, 'edge: { maxHops: 22 }\nlimits: { connections: 7 }\n');
  await vi.waitFor(() => expect(changes).toEqual([[`${own}:1: edge.maxHops`]]), { timeout: 5_000 });
  expect(later.current().limits.connections).toBe(7);
  await writeFile(own, 'edge: { maxHops: 21 }\n');
  await vi.waitFor(() => expect(changes.at(-1)).toEqual([]), { timeout: 5_000 });
  source.close();
  later.close();
});
