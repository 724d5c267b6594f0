/**
 * `npm run test:fuzz`: bad input of every sort against a running cluster. `--seed N` repeats a run, `--sessions N` sets its length (200,000 for
 * the long form), `--first N --sessions 1` repeats one session, `--parts` names the parts. About three minutes by default.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { suiteOptions } from '@postern/testkit/suite';
import { fuzzConfigurations } from './bad-configuration.js';
import { fuzzRows } from './bad-rows.js';
import { runEdgeSessions } from './edge-sessions.js';
import { type FuzzCluster, startFuzzCluster } from './fuzz-cluster.js';
import { parkSessions } from './parked-sessions.js';
import { fuzzStreams } from './poison.js';
import { fuzzBatches } from './poisoned-batches.js';
import { growth, watchProcesses } from './process-watch.js';
import { fuzzPorts } from './proto-fuzz.js';
import { type Report, startReport } from './report.js';
import { SentBook } from './sent-book.js';

const values = suiteOptions({
  name: 'test:fuzz',
  takes: 'about 3 minutes, 10 with 200,000 sessions',
  defaults: {
    seed: Date.now() % 1_000_000_000,
    sessions: 20000,
    first: 0,
    concurrency: 16,
    parts: 'smtp,proto,poison,rows,config',
  },
});
const seed = values.number('seed');
const sessions = values.number('sessions');
const parts = new Set(values.text('parts').split(','));
const allowedGrowthMiB = 64;

async function fuzzEdge(report: Report, { cluster, sink }: FuzzCluster, book: SentBook): Promise<void> {
  const ports = {
    mx: await cluster.port('mx'),
    submission: await cluster.port('submission'),
    submissions: await cluster.port('submissions'),
  };
  const startedAt = Date.now();
  const parked = parkSessions(ports);
  const watch = await watchProcesses(cluster);
  const tenth = Math.max(1, Math.floor(sessions / 10));
  const result = await runEdgeSessions({
    seed,
    first: values.number('first'),
    count: sessions,
    atOnce: values.number('concurrency'),
    ports,
    book,
    login: { user: 'known@strict.test', password: 'known-password-1' },
    onProgress: (done) => {
      if (done % tenth === 0)
        report.say(`        ${done} sessions, edge ${watch.samples.at(-1)?.toFixed(0) ?? '?'} MiB`);
    },
    stopped: () => false,
  });
  watch.stop();
  report.say(`        ${[...result.byKind].map(([name, count]) => `${name} ${count}`).join(', ')}`);
  report.check(`${result.done} sessions: replies well formed, no hang, nothing refused was taken`, result.problems);
  report.check('every connection was opened', result.unopened === 0 ? [] : [`${result.unopened} were not`]);
  report.check('no process ended', await watch.changes());
  const grown = growth(watch.samples);
  const flat =
    grown < allowedGrowthMiB
      ? []
      : [`${grown.toFixed(0)} MiB; samples ${watch.samples.map((size) => size.toFixed(0)).join(' ')}`];
  report.check(`memory of the edge is flat (${grown.toFixed(1)} MiB in the second half)`, flat);
  const end = Date.now() + 60_000;
  while (book.missing().length > 0 && Date.now() < end) await sleep(200);
  report.check(`all ${book.accepted} accepted messages reached the next hop`, book.missing());
  report.check(`nothing wrong in ${sink.count()} messages at the next hop`, book.problems);
  const { problems, judged } = await parked.judge(Math.max(61_000, Date.now() - startedAt));
  report.check(`${judged} sessions left alone were ended at their deadline`, problems);
  parked.close();
}

const report = startReport();
report.say(`seed ${seed}, ${sessions} sessions (repeat: npm run test:fuzz -- --seed ${seed} --sessions ${sessions})`);
const book = new SentBook();
const deferred = new Map<string, number>();
/** `later-…@` is put off twice, so that it passes through the rows of what waits. */
const replyTo = (recipient: string): number | undefined => {
  if (!recipient.startsWith('later-')) return undefined;
  const times = deferred.get(recipient) ?? 0;
  deferred.set(recipient, times + 1);
  return times < 2 ? 451 : undefined;
};
if ([...parts].some((part) => part !== 'config')) {
  await report.part('cluster', async () => {
    const fuzz = await startFuzzCluster({ onMessage: (message) => book.arrive(message), replyTo });
    report.say(`        the cluster serves (${fuzz.cluster.dataDir})`);
    try {
      if (parts.has('smtp')) await report.part('edge', () => fuzzEdge(report, fuzz, book));
      const context = { report, cluster: fuzz.cluster, book, seed };
      if (parts.has('proto')) await report.part('ports', () => fuzzPorts(context));
      if (parts.has('poison')) await report.part('streams', () => fuzzStreams(context));
      if (parts.has('poison')) await report.part('batches', () => fuzzBatches(context, fuzz.sink.port));
      if (parts.has('rows')) await report.part('rows', () => fuzzRows(context));
    } finally {
      await fuzz.stop();
    }
  });
}
if (parts.has('config')) await report.part('configuration', () => fuzzConfigurations(report));
process.exit(report.end());
