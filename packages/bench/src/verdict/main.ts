/**
 * `npm run bench:verdict`: what a whole verdict costs (SPF, DKIM, DMARC, three blocklists, rules; 10 KiB; warm), our policy service beside a real
 * Rspamd with the same modules only, the same DNS server and messages, interleaved. First CPU in a closed loop, then at half of the rate that
 * loop reached the time a verdict takes, and how long the event loop of the judge was ready meanwhile and had no core; last how long bodies of 30 MB
 * hold up others. Bounded by the number of messages.
 */
import { suiteOptions } from '@postern/testkit/suite';
import { percentile } from '../closed-loop.js';
import { coreWaitSeconds, cpuSeconds } from '../process-tree.js';
import type { JudgePeer } from './judge-peer.js';
import { measureStalls } from './large-bodies.js';
import { type Load, makeLoad } from './load.js';
import { openLoop } from './open-loop.js';
import { posternPeer } from './postern-peer.js';
import { rspamdPeer } from './rspamd-peer.js';

const values = suiteOptions({
  name: 'bench:verdict',
  takes: 'about 3 minutes',
  defaults: {
    messages: 4000,
    rounds: 5,
    warmup: 10000,
    concurrency: 16,
    size: 10240,
    threads: 1,
    large: 30,
  },
});
const messages = values.number('messages');
const rounds = values.number('rounds');
const concurrency = values.number('concurrency');

interface Round {
  readonly peer: string;
  readonly cpuMs: number;
  readonly rate: number;
  readonly questions: number;
}

const median = (of: readonly number[]): number =>
  [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN;

async function closedLoop(peer: JudgePeer, load: Load, count: number): Promise<Round> {
  const before = await cpuSeconds(peer.pids);
  const asked = load.dns.queries.length;
  const begun = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await peer.judge(load.letter(next++));
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - begun) / 1_000;
  const cpu = (await cpuSeconds(peer.pids)) - before;
  const questions = (load.dns.queries.length - asked) / count;
  load.dns.queries.length = 0;
  return { peer: peer.name, cpuMs: (cpu * 1_000) / count, rate: count / seconds, questions };
}

const load = await makeLoad(values.number('size'));
const peers: JudgePeer[] = [];
try {
  const postern = await posternPeer(load.dns.server, values.number('threads'));
  peers.push(postern, await rspamdPeer(load.dns.server));
  for (const peer of peers) await closedLoop(peer, load, values.number('warmup'));
  const all: Round[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const peer of peers) {
      const measured = await closedLoop(peer, load, messages);
      console.error(`round ${round} ${peer.name}: ${measured.cpuMs.toFixed(3)} ms, ${measured.rate.toFixed(0)}/s`);
      all.push(measured);
    }
  const of = (name: string, pick: (round: Round) => number): number =>
    median(all.filter(({ peer }) => peer === name).map(pick));
  const base = of('rspamd', ({ cpuMs }) => cpuMs);
  console.log(
    '| judge | CPU ms/message | ratio | messages/s | DNS questions/message | half load/s | p50 ms | p99 ms | without a core, ms/s |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|');
  const waits = new Map<string, Float64Array[]>();
  const coreWaits = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round++)
    for (const peer of peers) {
      const half = of(peer.name, ({ rate }) => rate) / 2;
      const [waited, begun] = [await coreWaitSeconds(peer.pids), performance.now()];
      const times = await openLoop(peer, load, half, messages);
      const perSecond = ((await coreWaitSeconds(peer.pids)) - waited) / ((performance.now() - begun) / 1e6);
      coreWaits.set(peer.name, [...(coreWaits.get(peer.name) ?? []), perSecond]);
      console.error(
        `half load ${round} ${peer.name}: p99 ${percentile(times, 0.99).toFixed(2)} ms, without a core ${perSecond.toFixed(0)} ms a second`,
      );
      waits.set(peer.name, [...(waits.get(peer.name) ?? []), times]);
    }
  for (const { name } of peers) {
    const wait = (share: number): string =>
      median((waits.get(name) ?? []).map((one) => percentile(one, share))).toFixed(2);
    const cpuMs = of(name, (round) => round.cpuMs);
    const rate = of(name, (round) => round.rate);
    const cells = [cpuMs.toFixed(3), (cpuMs / base).toFixed(2), rate.toFixed(0)];
    cells.push(of(name, ({ questions }) => questions).toFixed(2), (rate / 2).toFixed(0), wait(0.5), wait(0.99));
    cells.push(median(coreWaits.get(name) ?? []).toFixed(0));
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
  for (const line of await measureStalls(postern, load, values.number('large') * 1_000_000)) console.log(line);
} finally {
  for (const peer of peers) await peer.stop();
  await load.dns.stop();
}
