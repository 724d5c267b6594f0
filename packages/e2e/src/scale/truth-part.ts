/**
 * What the limiter promises, as a load: several edges, several addresses, open loop above each limit, an edge killed and another paused meanwhile. Simultaneous
 * and per interval, in total and per address. The places of an edge that is silent are others' within 25 s; one that was paused for longer returns with what it
 * holds, which is the bound, and lets nobody in before the limit has room. One table at the end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { busiestWindow, type Crowd, presence, startCrowd, type Visit } from './crowd.js';
import { addresses, mxPorts, type ScaleContext, warmupMs, watchStore } from './limits-part.js';
import { admittedAbove, startTable, type TruthTable } from './truth-table.js';

const freedMs = 25_000;
const pauseMs = 28_000;
const share = 0.99;

interface HeldLimit {
  readonly name: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly allowed: number;
  readonly addresses: readonly string[];
  /** Each group has the limit for itself. */
  readonly groups: readonly string[];
}

const of = (visits: readonly Visit[], group: string): Visit[] =>
  group === 'all' ? [...visits] : visits.filter(({ address }) => address === group);

const here = (visits: readonly Visit[], port?: number): Visit[] =>
  visits.filter((visit) => visit.leftAt === Number.POSITIVE_INFINITY && (port === undefined || visit.port === port));

/** Milliseconds until that is so; undefined = it never came within the time. */
async function until(crowd: Crowd, timeoutMs: number, is: () => boolean): Promise<number | undefined> {
  const from = crowd.now();
  while (crowd.now() - from < timeoutMs) {
    if (is()) return crowd.now() - from;
    await sleep(100);
  }
  return undefined;
}

async function held(context: ScaleContext, table: TruthTable, wanted: HeldLimit): Promise<void> {
  const { report, cluster } = context;
  const { allowed, groups } = wanted;
  await context.setLimits(wanted.limits);
  const store = await watchStore(context);
  const ports = await mxPorts(context);
  const crowd = startCrowd({ ports: () => ports, addresses: wanted.addresses, rate: 150, hold: [20_000, 60_000] });
  const judge = async (
    when: string,
    from: number,
    extra: (group: string) => number,
    isFull: boolean,
  ): Promise<void> => {
    const to = crowd.now();
    const alone = await store.bound(allowed);
    for (const group of groups) {
      const { most, average } = presence(of(crowd.visits, group), from, to);
      const name = group === 'all' ? wanted.name : `${wanted.name} ${group}`;
      const row = { limit: name, when, allowed, bound: extra(group) + alone, most };
      table.add(isFull ? { ...row, average } : row);
    }
  };
  const isFull = (): boolean => groups.every((group) => here(of(crowd.visits, group)).length >= allowed * share);
  const none = (): number => 0;
  try {
    await until(crowd, 15_000, isFull);
    let from = crowd.now();
    await sleep(10_000);
    await judge('steady', from, none, true);

    from = crowd.now();
    const killed = await cluster.signal('edge', 'SIGKILL', 1);
    await until(crowd, 2_000, () => here(crowd.visits, ports[1]).length === 0);
    const left = here(crowd.visits).length;
    const freed = await until(crowd, 30_000, isFull);
    const freedAfter = freed === undefined ? Number.POSITIVE_INFINITY : crowd.now() - from;
    report.say(`        an edge was killed: ${left} left, full again after ${(freedAfter / 1_000).toFixed(1)} s`);
    report.check(
      `${wanted.name}: the places of a killed edge are free within 25 s`,
      freedAfter > freedMs || left >= allowed * groups.length * share
        ? [`${left} left, full after ${freedAfter} ms`]
        : [],
    );
    await judge('edge killed', from, none, false);
    await cluster.waitReplaced('edge', killed);
    await cluster.waitReady('edge');
    from = crowd.now();
    await sleep(8_000);
    await judge('after the kill', from, none, true);

    const pausedAt = crowd.now();
    const port = ports[2] ?? 0;
    const paused = await cluster.signal('edge', 'SIGSTOP', (await cluster.pids('edge')).length - 1);
    const kept = new Map<string, number>();
    const elsewhere = (group: string): number => {
      const visits = of(crowd.visits, group);
      return here(visits).length - here(visits, port).length;
    };
    let resumedAt = 0;
    let taken: number | undefined;
    try {
      for (const group of groups) kept.set(group, here(of(crowd.visits, group), port).length);
      report.say(`        an edge is paused that holds ${[...kept.values()].join(', ')}`);
      taken = await until(crowd, pauseMs, () => groups.every((group) => elsewhere(group) >= allowed * share));
      await sleep(Math.max(0, pausedAt + pauseMs - crowd.now()));
    } finally {
      resumedAt = crowd.now();
      process.kill(paused, 'SIGCONT');
    }
    report.check(
      `${wanted.name}: the places of a paused edge are others' within 25 s (${taken === undefined ? 'never' : `${(taken / 1_000).toFixed(1)} s`})`,
      taken === undefined || taken > freedMs ? [`${groups.map(elsewhere).join(', ')} of ${allowed} elsewhere`] : [],
    );
    const under = await until(crowd, 60_000, () =>
      groups.every((group) => here(of(crowd.visits, group)).length <= allowed),
    );
    report.say(
      `        the paused edge is back; under the limit after ${((under ?? Number.NaN) / 1_000).toFixed(1)} s`,
    );
    await judge('edge paused 28 s', pausedAt, (group) => kept.get(group) ?? 0, false);
    const above = groups.flatMap((group) =>
      admittedAbove(of(crowd.visits, group), { port, pausedAt, resumedAt }, allowed),
    );
    report.check(
      `${wanted.name}: an edge that returns admits nothing until under the limit`,
      above.map((one) => `${one.address}, ${(one.admittedAt - resumedAt).toFixed(0)} ms after it returned`),
    );
    await sleep(6_000);
    from = crowd.now();
    await sleep(8_000);
    await judge('after the pause', from, none, true);
  } finally {
    await crowd.stop();
  }
}

interface RateLimit {
  readonly name: string;
  readonly limits: Readonly<Record<string, number | string>>;
  readonly allowed: number;
  readonly addresses: readonly string[];
  readonly groups: readonly string[];
}

const intervalMs = 10_000;
const intervals = 4;
/** The server decides a moment before the banner is here: a window is judged with that much taken off. */
const seenLateMs = 250;

async function rated(context: ScaleContext, table: TruthTable, wanted: RateLimit): Promise<void> {
  const { cluster } = context;
  await context.setLimits(wanted.limits);
  const store = await watchStore(context);
  const ports = await mxPorts(context);
  const crowd = startCrowd({ ports: () => ports, addresses: wanted.addresses, rate: 120, hold: [0, 50] });
  let pausedAt = 0;
  let resumedAt = 0;
  try {
    await sleep(12_000);
    const killed = await cluster.signal('edge', 'SIGKILL', 1);
    await sleep(3_000);
    await cluster.waitReplaced('edge', killed);
    await cluster.waitReady('edge');
    pausedAt = crowd.now();
    const paused = await cluster.signal('edge', 'SIGSTOP', (await cluster.pids('edge')).length - 1);
    await sleep(6_000).finally(() => process.kill(paused, 'SIGCONT'));
    resumedAt = crowd.now();
    await sleep(Math.max(0, (intervals - 1) * intervalMs + 6_000 - crowd.now()));
  } finally {
    await crowd.stop();
  }
  const alone = await store.bound(wanted.allowed);
  const windows = Math.floor(crowd.now() / intervalMs) + 1;
  for (const group of wanted.groups) {
    const all = of(crowd.visits, group);
    const decidedThen = all.filter(({ openedAt, admittedAt }) => openedAt > pausedAt || admittedAt < resumedAt);
    table.add({
      limit: group === 'all' ? wanted.name : `${wanted.name} ${group}`,
      when: 'edge killed, another paused 6 s',
      allowed: wanted.allowed,
      bound: alone,
      most: busiestWindow(decidedThen, intervalMs - seenLateMs),
      average: all.length / windows,
    });
  }
}

export async function scaleTruth(context: ScaleContext): Promise<void> {
  const { report } = context;
  const table = startTable(report);
  const two = addresses(2);
  await sleep(warmupMs);
  await report.part('simultaneous, total', () =>
    held(context, table, {
      name: 'at once, total',
      limits: { connections: 150 },
      allowed: 150,
      addresses: addresses(8),
      groups: ['all'],
    }),
  );
  await report.part('simultaneous, per address', () =>
    held(context, table, {
      name: 'at once, address',
      limits: { connectionsPerIp: 60 },
      allowed: 60,
      addresses: two,
      groups: two,
    }),
  );
  await report.part('per interval, total', () =>
    rated(context, table, {
      name: 'in 10 s, total',
      limits: { connectionRate: 300, interval: '10s' },
      allowed: 300,
      addresses: addresses(40),
      groups: ['all'],
    }),
  );
  await report.part('per interval, per address', () =>
    rated(context, table, {
      name: 'in 10 s, address',
      limits: { connectionRatePerIp: 60, interval: '10s' },
      allowed: 60,
      addresses: two,
      groups: two,
    }),
  );
  table.print();
}
