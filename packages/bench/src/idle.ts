/**
 * `npm run bench:idle`: what an idle connection costs at 10,000 of them, plain and after STARTTLS; at 50 clients how soon a banner comes and how many
 * connections a second are served; the edge's SMTP front beside the bare library in the same run, the two in turn, medians of the rounds. Memory is PSS of the server alone, above what it had
 * after warming up. Exit 1 beyond a target. Needs as many open files as connections; sources are 127.0.0.2 to 127.0.0.9.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SmtpSender } from '@postern/testkit/smtp';
import { suiteOptions } from '@postern/testkit/suite';
import { percentile } from './closed-loop.js';
import type { Peer, PeerFactory } from './peer.js';
import { bareWith } from './peers/bare.js';
import { edgeAccept } from './peers/edge-accept.js';
import { pssMiB } from './process-tree.js';

const values = suiteOptions({
  name: 'bench:idle',
  takes: 'about 6 minutes',
  defaults: {
    connections: 10000,
    rounds: 3,
    banners: 5000,
  },
});
const connections = values.number('connections');
const openersAtOnce = 200;
const warmups = 1_000;
const settleMs = 5_000;
const bannerClients = 50;
const memoryTarget = 1.4;
const bannerTargetMs = 10;
const rateTarget = 2.5;

type Mode = 'plain' | 'tls';

async function openMany(port: number, mode: Mode, count: number): Promise<SmtpSender[]> {
  const open: SmtpSender[] = [];
  let next = 0;
  const opener = async (): Promise<void> => {
    while (next < count) {
      const sender = await SmtpSender.open({ port, localAddress: `127.0.0.${2 + (next++ % 8)}`, timeoutMs: 600_000 });
      await sender.greet();
      if (mode === 'tls') {
        const reply = await sender.command('STARTTLS');
        if (reply.code !== 220) throw new Error(`STARTTLS: ${reply.code} ${reply.text}`);
        await sender.startTls();
        await sender.command('EHLO client.test');
      }
      open.push(sender);
    }
  };
  await Promise.all(Array.from({ length: Math.min(openersAtOnce, count) }, opener));
  return open;
}

/** KiB of the server per idle connection; throws when one of them did not last. */
async function idleKiB(peer: Peer, mode: Mode): Promise<number> {
  for (const sender of await openMany(peer.port, mode, warmups)) sender.destroy();
  await sleep(settleMs);
  const before = await pssMiB(await peer.pids());
  const open = await openMany(peer.port, mode, connections);
  await sleep(settleMs);
  const after = await pssMiB(await peer.pids());
  const gone = open.filter(({ lost }) => lost).length;
  for (const sender of open.slice(0, 100)) {
    const { code } = await sender.command('NOOP');
    if (code !== 250) throw new Error(`${peer.name}: NOOP was answered ${code}`);
  }
  for (const sender of open) sender.destroy();
  if (gone > 0) throw new Error(`${peer.name}: ${gone} of ${connections} connections were lost`);
  const each = ((after - before) * 1_024) / connections;
  console.error(`${mode} ${peer.name}: ${before.toFixed(0)} to ${after.toFixed(0)} MiB, ${each.toFixed(1)} KiB each`);
  return each;
}

interface Greeted {
  /** Milliseconds from connect to banner, sorted. */
  readonly times: Float64Array;
  /** Connections a second. */
  readonly rate: number;
}

/** Each client connects anew as soon as it was greeted and has quit. */
async function greetMany(peer: Peer, count: number): Promise<Greeted> {
  const times = new Float64Array(count);
  let next = 0;
  const begun = performance.now();
  const client = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const from = performance.now();
      const sender = await SmtpSender.open({ port: peer.port, localAddress: `127.0.0.${2 + (number % 8)}` });
      const { code } = await sender.reply();
      times[number] = performance.now() - from;
      if (code !== 220) throw new Error(`${peer.name} greeted with ${code}`);
      await sender.quit();
    }
  };
  await Promise.all(Array.from({ length: bannerClients }, client));
  const rate = (count * 1_000) / (performance.now() - begun);
  return { times: times.sort(), rate };
}

async function withPeer<T>(factory: PeerFactory, work: (peer: Peer) => Promise<T>): Promise<T> {
  const peer = await factory.start(0);
  try {
    return await work(peer);
  } finally {
    await peer.stop();
  }
}

const median = (figures: readonly number[]): number =>
  figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)] ?? Number.NaN;
const factories = { bare: bareWith('--starttls'), edge: edgeAccept };
const rounds = values.number('rounds');
let isKept = true;
console.log(
  `| idle connections, ${rounds} rounds | node-null KiB each | edge-accept KiB each | ratio (target ${memoryTarget}) |\n|---|---|---|---|`,
);
for (const mode of ['plain', 'tls'] as const) {
  const bare: number[] = [];
  const edge: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await withPeer(factories.bare, (peer) => idleKiB(peer, mode)));
    edge.push(await withPeer(factories.edge, (peer) => idleKiB(peer, mode)));
  }
  const [floor, ours] = [median(bare), median(edge)];
  const ratio = ours / floor;
  console.log(`| ${connections} ${mode} | ${floor.toFixed(1)} | ${ours.toFixed(1)} | ${ratio.toFixed(2)} |`);
  isKept &&= ratio <= memoryTarget;
}

interface Welcome {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

const welcome = (factory: PeerFactory): Promise<Welcome> =>
  withPeer(factory, async (peer) => {
    await greetMany(peer, warmups);
    const { times, rate } = await greetMany(peer, values.number('banners'));
    return { rate, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
  });

console.log(
  `\n| new connections, ${bannerClients} clients | a second | to bare's (target ${rateTarget}) | to banner p50 ms (target ${bannerTargetMs}) | p99 ms |\n|---|---|---|---|---|`,
);
const welcomes: Record<keyof typeof factories, Welcome[]> = { bare: [], edge: [] };
for (let round = 0; round < rounds; round++)
  for (const name of ['bare', 'edge'] as const) welcomes[name].push(await welcome(factories[name]));
const bareRate = median(welcomes.bare.map(({ rate }) => rate));
for (const name of ['bare', 'edge'] as const) {
  const of = (figure: keyof Welcome): number => median(welcomes[name].map((each) => each[figure]));
  const [rate, p50] = [of('rate'), of('p50')];
  const columns = [rate.toFixed(0), (rate / bareRate).toFixed(1), p50.toFixed(1), of('p99').toFixed(1)];
  console.log(`| ${factories[name].name} | ${columns.join(' | ')} |`);
  if (name === 'edge') isKept &&= p50 < bannerTargetMs && rate >= rateTarget * bareRate;
}
process.exitCode = isKept ? 0 : 1;
