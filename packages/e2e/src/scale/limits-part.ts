/**
 * Connection limits over four edges, open loop: never above the limit (a pod that dies gives no more than the rest may have), never under 99 % of it
 * while demand exceeds it; the share of an edge that was killed is free again within 25 s. Rates likewise. Limits are changed live.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.js';
import { logOf } from '../fuzz/cluster-files.js';
import type { Report } from '../fuzz/report.js';
import { busiestWindow, type Crowd, type CrowdOptions, presence, startCrowd, type Visit } from './crowd.js';

export interface ScaleContext {
  readonly report: Report;
  readonly cluster: Cluster;
  readonly edges: number;
  /** Writes the configuration with these limits and waits until every edge uses it. */
  setLimits(limits: Readonly<Record<string, unknown>>): Promise<void>;
}

export const mxPorts = ({ cluster, edges }: ScaleContext): Promise<number[]> =>
  Promise.all(Array.from({ length: edges }, (_, edge) => cluster.port('mx', edge)));

export const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `127.0.0.${11 + index}`);
const share = 0.99;

/** How often an edge decided alone because Redis did not answer in time: then each may hold its share besides, fewer than twice the limit in all. */
async function decidedAlone({ cluster, edges }: ScaleContext): Promise<number> {
  const logs = await Promise.all(Array.from({ length: edges }, (_, edge) => logOf(cluster, `edge-${edge}`)));
  return logs.join('').split('"event":"edge.limits.changed","state":"local"').length - 1;
}

export interface Watch {
  /** The stated bound over a limit: nothing, unless an edge had to decide alone meanwhile. */
  bound(limit: number): Promise<number>;
}

export async function watchStore(context: ScaleContext): Promise<Watch> {
  const before = await decidedAlone(context);
  return {
    async bound(limit) {
      const times = (await decidedAlone(context)) - before;
      if (times === 0) return 0;
      context.report.say(
        `        note: an edge decided alone ${times} times (machine too busy): the bound is ${limit - 1}`,
      );
      return limit - 1;
    },
  };
}

function judgeHeld(
  name: string,
  visits: readonly Visit[],
  from: number,
  to: number,
  limit: number,
  bound: number,
): string[] {
  const { most, average } = presence(visits, from, to);
  const problems: string[] = [];
  if (most > limit + bound) problems.push(`${name}: ${most} at once, limit ${limit} + ${bound}`);
  if (average < limit * share) problems.push(`${name}: ${average.toFixed(1)} on average, limit ${limit}`);
  return problems;
}

const describe = (crowd: Crowd): string =>
  [...crowd.refused].map(([reason, count]) => `${count} x ${JSON.stringify(reason)}`).join(', ') || 'none';

async function crowdOf(context: ScaleContext, options: Omit<CrowdOptions, 'ports'>): Promise<Crowd> {
  const ports = await mxPorts(context);
  return startCrowd({ ...options, ports: () => ports });
}

async function totalAndKill(context: ScaleContext): Promise<void> {
  const { report, cluster } = context;
  const limit = 200;
  await context.setLimits({ connections: limit });
  const store = await watchStore(context);
  const crowd = await crowdOf(context, { addresses: addresses(8), rate: 250, hold: [5_000, 15_000] });
  await sleep(6_000);
  const from = crowd.now();
  await sleep(20_000);
  report.say(`        refused: ${describe(crowd)}`);
  report.check(
    `a limit of ${limit} connections over ${context.edges} edges`,
    judgeHeld('total', crowd.visits, from, crowd.now(), limit, await store.bound(limit)),
  );

  const [, victim] = await cluster.pids('edge');
  if (victim === undefined) throw new Error('no second edge');
  const killedAt = crowd.now();
  process.kill(victim, 'SIGKILL');
  report.say(`        killed an edge that held ${crowd.present()} minus what is left`);
  await sleep(1_000);
  report.say(`        ${crowd.present()} left of ${limit}`);
  const lowest = crowd.present();
  let fullAt: number | undefined;
  while (crowd.now() - killedAt < 30_000) {
    if (crowd.present() >= limit * share) {
      fullAt ??= crowd.now();
      break;
    }
    await sleep(100);
  }
  await sleep(5_000);
  const problems: string[] = [];
  if (lowest >= limit * share) problems.push('the edge that was killed held nothing: nothing is proven');
  if (fullAt === undefined) problems.push(`only ${crowd.present()} of ${limit} 30 s after the kill`);
  else if (fullAt - killedAt > 25_000) problems.push(`free again after ${((fullAt - killedAt) / 1_000).toFixed(1)} s`);
  const { most } = presence(crowd.visits, killedAt, crowd.now());
  if (most > limit + (await store.bound(limit))) problems.push(`${most} at once after the kill, limit ${limit}`);
  report.check(
    `the share of a killed edge is free again within 25 s (${fullAt === undefined ? 'never' : ((fullAt - killedAt) / 1_000).toFixed(1)} s)`,
    problems,
  );
  await crowd.stop();
}

async function perAddress(context: ScaleContext): Promise<void> {
  const limit = 40;
  const two = addresses(2);
  await context.setLimits({ connectionsPerIp: limit });
  const store = await watchStore(context);
  const crowd = await crowdOf(context, { addresses: two, rate: 120, hold: [8_000, 16_000] });
  await sleep(8_000);
  const from = crowd.now();
  await sleep(20_000);
  const to = crowd.now();
  context.report.say(`        refused: ${describe(crowd)}`);
  const bound = await store.bound(limit);
  const problems = two.flatMap((address) =>
    judgeHeld(
      address,
      crowd.visits.filter((visit) => visit.address === address),
      from,
      to,
      limit,
      bound,
    ),
  );
  context.report.check(`a limit of ${limit} connections per address over ${context.edges} edges`, problems);
  await crowd.stop();
}

async function rates(context: ScaleContext): Promise<void> {
  const intervalMs = 10_000;
  const [total, each] = [300, 60];
  const judge = (name: string, visits: readonly Visit[], limit: number, windows: number, bound: number): string[] => {
    // The server decides a moment before the banner is here: a window is judged with that much taken off.
    const most = busiestWindow(visits, intervalMs - 250);
    const problems: string[] = [];
    if (most > limit + bound) problems.push(`${name}: ${most} in one interval, limit ${limit} + ${bound}`);
    if (visits.length < limit * windows * share)
      problems.push(`${name}: ${visits.length} in ${windows} intervals, limit ${limit}`);
    return problems;
  };
  await context.setLimits({ connectionRate: total, interval: '10s' });
  const store = await watchStore(context);
  const all = await crowdOf(context, { addresses: addresses(40), rate: 120, hold: [0, 50] });
  // The burst of each interval takes 2.5 s: three of them are over by then.
  await sleep(2 * intervalMs + 6_000);
  await all.stop();
  context.report.say(`        ${all.visits.length} admitted, refused: ${describe(all)}`);
  context.report.check(
    `a rate of ${total} connections in 10 s over ${context.edges} edges`,
    judge('total', all.visits, total, 3, await store.bound(total)),
  );

  await context.setLimits({ connectionRatePerIp: each, interval: '10s' });
  const perIp = await watchStore(context);
  const three = addresses(3);
  const some = await crowdOf(context, { addresses: three, rate: 90, hold: [0, 50] });
  await sleep(2 * intervalMs + 6_000);
  await some.stop();
  context.report.say(`        ${some.visits.length} admitted, refused: ${describe(some)}`);
  const bound = await perIp.bound(each);
  const problems = three.flatMap((address) =>
    judge(
      address,
      some.visits.filter((visit) => visit.address === address),
      each,
      3,
      bound,
    ),
  );
  context.report.check(`a rate of ${each} connections per address in 10 s over ${context.edges} edges`, problems);
}

/** A store found empty is not trusted for one beat: until then pods decide by their shares, and the bound is another. */
export const warmupMs = 6_000;

export async function scaleLimits(context: ScaleContext): Promise<void> {
  await sleep(warmupMs);
  await context.report.part('total', () => totalAndKill(context));
  await context.report.part('per address', () => perAddress(context));
  await context.report.part('rates', () => rates(context));
}
