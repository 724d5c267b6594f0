import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@postern/clock';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openOperatorSource } from './source.js';

async function watched() {
  const dir = await mkdtemp(join(tmpdir(), 'postern-operator-source-'));
  const file = join(dir, 'operator.yaml');
  await writeFile(file, 'hostname: one.test\n');
  const source = await openOperatorSource([file], systemClock);
  const seen: (string | undefined)[] = [];
  source.watch(
    () => seen.push(source.current().hostname),
    () => seen.push('refused'),
  );
  onTestFinished(async () => {
    source.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { file, source, seen };
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
