/** Runs the peers interleaved and prints one table: the median of the rounds, ratios against the first peer of the comparison. */
import { buildMessage, type SunkMessage, startSmtpSink } from '@postern/testkit/smtp';
import { type ClosedLoop, percentile, runClosedLoop } from './closed-loop.js';
import type { Peer, PeerFactory } from './peer.js';
import { cpuSeconds, pssMiB } from './process-tree.js';
import { provePeer } from './proof.js';

const warmSize = 10_240;

export interface Case {
  readonly mode: ClosedLoop['mode'];
  readonly sessions: number;
  readonly size: number;
  readonly messages: number;
}

export interface Sample {
  readonly peer: string;
  readonly case: string;
  /** CPU milliseconds per message of all its processes. */
  readonly cpuMs: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU milliseconds per message by part. */
  readonly parts: Readonly<Record<string, number>>;
}

export const caseName = ({ mode, sessions, size }: Case): string => `${mode} ${Math.round(size / 1024)}K s${sessions}`;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function partSeconds(peer: Peer): Promise<Record<string, number>> {
  const parts = (await peer.parts?.()) ?? {};
  const entries = await Promise.all(
    Object.entries(parts).map(async ([name, pids]) => [name, await cpuSeconds(pids)] as const),
  );
  return Object.fromEntries(entries);
}

function loadOf(peer: Peer, size: number, all: ClosedLoop['to']): Pick<ClosedLoop, 'to' | 'letter'> {
  const to = peer.to?.bind(peer) ?? all;
  const from = 'load@sender.test';
  return { to, letter: peer.letter?.(size) ?? { from, data: buildMessage({ from, to: to(0), size }) } };
}

async function measure(peer: Peer, sunk: () => number, now: Case, to: ClosedLoop['to']): Promise<Sample> {
  const sunkBefore = sunk();
  const partsBefore = await partSeconds(peer);
  const cpuBefore = await cpuSeconds(await peer.pids());
  const { mode, sessions, messages } = now;
  const { port, clientAddress } = peer;
  const result = await runClosedLoop({
    ...loadOf(peer, now.size, to),
    ...(clientAddress === undefined ? {} : { localAddress: clientAddress }),
    ...{ mode, sessions, messages, port },
  });
  if (result.refused > 0) throw new Error(`${peer.name} refused ${result.refused} messages`);
  await peer.drained(sunk, sunkBefore + now.messages);
  const cpu = (await cpuSeconds(await peer.pids())) - cpuBefore;
  const partsAfter = await partSeconds(peer);
  const parts = Object.fromEntries(
    Object.entries(partsAfter).map(([name, seconds]) => [
      name,
      ((seconds - (partsBefore[name] ?? 0)) * 1000) / now.messages,
    ]),
  );
  return {
    peer: peer.name,
    case: caseName(now),
    cpuMs: (cpu * 1000) / now.messages,
    rate: now.messages / result.seconds,
    p50: percentile(result.latencies, 0.5),
    p99: percentile(result.latencies, 0.99),
    parts,
  };
}

export interface TableOptions {
  readonly factories: readonly PeerFactory[];
  readonly cases: readonly Case[];
  readonly rounds: number;
  /** Messages of each peer before its first counted one, spread evenly over the cases: what a case alone uses is warm too. */
  readonly warmup: number;
  readonly to: ClosedLoop['to'];
  readonly say: (line: string) => void;
}

/** Median samples of every peer and case. */
export async function runTable(
  options: TableOptions,
): Promise<{ readonly samples: Sample[]; readonly idleMiB: Record<string, number> }> {
  let onNext: ((message: SunkMessage) => void) | undefined;
  const next = (): Promise<SunkMessage> =>
    new Promise((resolve) => {
      onNext = resolve;
    });
  const sink = await startSmtpSink({
    keep: false,
    onMessage: (message) => {
      onNext?.(message);
      onNext = undefined;
    },
  });
  const prove = (peer: Peer): Promise<void> => {
    const { letter, to } = loadOf(peer, warmSize, options.to);
    return provePeer(peer, { letter, to: to(0), next });
  };
  const peers: Peer[] = [];
  const all: Sample[] = [];
  const idleMiB: Record<string, number> = {};
  try {
    for (const factory of options.factories) {
      options.say(`starting ${factory.name}`);
      const peer = await factory.start(sink.port);
      peers.push(peer);
      await prove(peer);
      for (const now of options.cases) {
        const messages = Math.ceil(options.warmup / options.cases.length);
        await measure(peer, sink.count, { ...now, messages }, options.to);
      }
      idleMiB[peer.name] = await pssMiB(await peer.pids());
    }
    for (let round = 1; round <= options.rounds; round++) {
      for (const now of options.cases) {
        for (const peer of peers) {
          const sample = await measure(peer, sink.count, now, options.to);
          options.say(
            `round ${round} ${sample.case} ${sample.peer}: ${sample.cpuMs.toFixed(2)} ms, ${sample.rate.toFixed(0)}/s`,
          );
          all.push(sample);
        }
      }
    }
    // What was counted was the work to the end.
    for (const peer of peers) await prove(peer);
  } finally {
    for (const peer of peers) await peer.stop();
    await sink.close();
  }
  const samples = options.cases.flatMap((now) =>
    options.factories.map(({ name }) =>
      summarise(all.filter((sample) => sample.peer === name && sample.case === caseName(now))),
    ),
  );
  return { samples, idleMiB };
}

function summarise(samples: readonly Sample[]): Sample {
  const [first] = samples;
  if (first === undefined) throw new Error('no samples');
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
  const parts = Object.fromEntries(
    Object.keys(first.parts).map((name) => [name, of((sample) => sample.parts[name] ?? 0)]),
  );
  return {
    ...first,
    cpuMs: of(({ cpuMs }) => cpuMs),
    rate: of(({ rate }) => rate),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    parts,
  };
}

export function printTable(
  samples: readonly Sample[],
  base: string,
  idleMiB: Readonly<Record<string, number>>,
): string {
  const lines = [
    '| case | peer | CPU ms/message | ratio | messages/s | p50 ms | p99 ms |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const sample of samples) {
    const against = samples.find((other) => other.case === sample.case && other.peer === base);
    const ratio = against === undefined ? '' : (sample.cpuMs / against.cpuMs).toFixed(2);
    lines.push(
      `| ${sample.case} | ${sample.peer} | ${sample.cpuMs.toFixed(2)} | ${ratio} | ${sample.rate.toFixed(0)} | ${sample.p50.toFixed(1)} | ${sample.p99.toFixed(1)} |`,
    );
  }
  lines.push('', `Ratio: CPU per message against ${base} in the same run.`, '');
  for (const sample of samples.filter(({ parts }) => Object.keys(parts).length > 0)) {
    const parts = Object.entries(sample.parts).map(([name, ms]) => `${name} ${ms.toFixed(2)}`);
    lines.push(`- ${sample.peer}, ${sample.case}: ${parts.join(', ')}`);
  }
  lines.push('', ...Object.entries(idleMiB).map(([name, mib]) => `- ${name}: ${mib.toFixed(0)} MiB PSS after warm-up`));
  return lines.join('\n');
}
