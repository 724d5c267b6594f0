/**
 * The nemesis: kills, pauses and restarts processes of the cluster one after the other while mail flows, and once per failpoint kills exactly there.
 * A step ends when the cluster is whole again. Only processes named in the cluster's own run.json are touched.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, projectRoot } from '../cluster/cluster.js';

export type Misfortune = 'kill' | 'pause' | 'restart';

/** What was done to whom, from when until all was whole again. */
export interface Strike {
  /** Process: a service or a store. */
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export const pauseMs = 5_000;

export async function strike(cluster: Cluster, name: string, misfortune: Misfortune, index = 0): Promise<void> {
  if (misfortune === 'pause') {
    const pid = await cluster.signal(name, 'SIGSTOP', index);
    await sleep(pauseMs);
    process.kill(pid, 'SIGCONT');
    return;
  }
  // PostgreSQL takes SIGTERM as "when every client has left"; SIGINT is its orderly stop.
  const orderly = name === 'postgres' ? 'SIGINT' : 'SIGTERM';
  const pid = await cluster.signal(name, misfortune === 'kill' ? 'SIGKILL' : orderly, index);
  await cluster.waitReplaced(name, pid);
}

/** Names of all failpoints of a service, read from its built code. */
export async function failpointsOf(service: string): Promise<string[]> {
  const folder = join(projectRoot, 'services', service, 'dist');
  const names = new Set<string>();
  for (const entry of await readdir(folder, { recursive: true })) {
    if (!entry.endsWith('.js')) continue;
    const text = await readFile(join(folder, entry), 'utf8');
    for (const [, name] of text.matchAll(/\bfailpoint\('([^']+)'\)/g)) if (name !== undefined) names.add(name);
  }
  return [...names].sort();
}

/**
 * Arms a failpoint, restarts the service so that it reads it, provokes it, and waits until it was hit and the service is back. Both are strikes, and what is
 * between them is none; the second is missing when it was not reached.
 */
export async function hitFailpoint(
  cluster: Cluster,
  armFile: string,
  name: string,
  timeoutMs: number,
  provoke: () => Promise<void>,
): Promise<readonly Strike[]> {
  const target = name.split('.')[0] ?? '';
  await writeFile(armFile, `${name}:3`);
  const armedMs = Date.now();
  await cluster.waitReplaced(target, await cluster.signal(target, 'SIGKILL'));
  const strikes: Strike[] = [{ target, fromMs: armedMs, toMs: Date.now() }];
  const watched = new AbortController();
  const watch = watchHit(cluster, armFile, target, watched.signal);
  // Looked at once more after the last provocation, which may take longer than all this time.
  for (const end = Date.now() + timeoutMs; ; ) {
    const isHit = (await stat(armFile).catch(() => undefined)) === undefined;
    if (isHit || Date.now() >= end) {
      if (!isHit) watched.abort();
      break;
    }
    await provoke();
    await sleep(200);
  }
  const hit = await watch;
  await rm(armFile, { force: true });
  return hit === undefined ? strikes : [...strikes, hit];
}

async function watchHit(
  cluster: Cluster,
  armFile: string,
  target: string,
  stopped: AbortSignal,
): Promise<Strike | undefined> {
  while (!stopped.aborted) {
    const fromMs = Date.now();
    await sleep(50);
    if ((await stat(armFile).catch(() => undefined)) !== undefined) continue;
    await cluster.waitReady(target);
    return { target, fromMs, toMs: Date.now() };
  }
  return undefined;
}
