/**
 * Three nodes, one of which stood still while a pod left a batch in WORK. It answers for what it has, which is old, as soon as it goes on: it must not decide
 * whether WORK had taken the items, or mail would be recorded as begun that was only left.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import {
  connectStreams,
  createLeftoverReader,
  createPublisher,
  type Delivery,
  ensureStreams,
  type LeftoverReader,
  type StreamConnection,
  spoolMessage,
  spoolSubject,
} from '@postern/stream';
import { withNatsCluster } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createTakeOver } from './take-over.js';
import { envelope, newQueueId } from './testing/messages.js';

const nats = withNatsCluster();
/** What the node has to catch up with before it has what is asked for. */
const backlog = 200;
/** A replica is chosen for each question: of so many some are for that node. */
const questions = 20;

async function podAt(urls: readonly string[]) {
  const connection = await connectStreams({ servers: urls, user: 'queue', password: '' });
  const publisher = createPublisher(connection, systemClock);
  const reader = await createLeftoverReader(connection);
  let asked = 0;
  const counted: LeftoverReader = {
    ...reader,
    at(stream, sequence) {
      asked++;
      return reader.at(stream, sequence);
    },
  };
  const takeOver = createTakeOver(publisher, counted, { left: () => undefined });
  return { connection, publisher, reader, takeOver, asked: () => asked };
}
type Pod = Awaited<ReturnType<typeof podAt>>;

/** A node that leads neither SPOOL nor WORK. */
async function follower({ nats: client }: StreamConnection) {
  const manager = await jetstreamManager(client, { checkAPI: false });
  const infos = await Promise.all(['SPOOL', 'WORK'].map((stream) => manager.streams.info(stream)));
  const leaders = infos.map(({ cluster }) => cluster?.leader);
  const found = nats.cluster.nodes.find(({ options }) => !leaders.includes(options.cluster?.serverName));
  if (leaders.includes(undefined) || found === undefined) throw new Error('a stream has no leader');
  return { node: found, others: nats.cluster.nodes.filter((one) => one !== found).map(({ url }) => url) };
}

/** A batch in SPOOL that came back. */
async function spooled({ publisher, reader }: Pod): Promise<Delivery> {
  const [one, two] = [envelope(['ann@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([Envelope.encode(one).finish(), Envelope.encode(two).finish()]);
  const subject = spoolSubject(one.queueId);
  const result = await publisher.publish(subject, data, { msgId: one.queueId, headers });
  if (result.kind !== 'stored') throw new Error(result.reason);
  const { sequence } = result;
  const found = await reader.at('SPOOL', sequence);
  return {
    ...{ subject, data, sequence, deliveryCount: 2, pending: 0, storedAtMs: found?.storedAtMs ?? 0 },
    header: (name) => headers[name] ?? '',
    ack: () => expect.unreachable(),
    ackConfirmed: () => Promise.resolve(false),
    nak: () => expect.unreachable(),
    working: () => undefined,
  };
}

const fill = async ({ publisher }: Pod, subject: string): Promise<void> => {
  const data = Buffer.alloc(1_024);
  const publish = () => publisher.publish(subject, data, { msgId: newQueueId() });
  const results = await Promise.all(Array.from({ length: backlog }, publish));
  expect(results.filter(({ kind }) => kind !== 'stored')).toEqual([]);
};

let first: Pod;
beforeAll(async () => {
  first = await podAt(nats.cluster.urls);
  await ensureStreams(first.connection, { replicas: 3, egressPools: ['default'] });
}, 60_000);
afterAll(async () => {
  await first?.connection.close();
});

test('what was left is not told as placed by a node that lags', { timeout: 120_000 }, async () => {
  // Leaders may still be chosen, moments after the streams were made.
  const patiently = { timeout: 40_000 };
  const { node, others } = await vi.waitFor(() => follower(first.connection), patiently);
  const [one, other] = [await podAt(others), await podAt(others)];
  const message = await vi.waitFor(() => spooled(one), patiently);

  process.kill(node.server.pid, 'SIGSTOP');
  let answers: ReturnType<Pod['takeOver']['leave']>[];
  try {
    await Promise.all([fill(one, 'work.default.1'), fill(one, 'spool.1')]);
    expect(await one.takeOver.leave(message)).toEqual({ step: { done: true }, wasPlaced: false });
    answers = Array.from({ length: questions }, () => other.takeOver.leave(message));
    await vi.waitFor(() => expect(other.asked()).toBeGreaterThanOrEqual(questions), patiently);
    await other.connection.nats.flush();
  } finally {
    process.kill(node.server.pid, 'SIGCONT');
  }
  const told = (await Promise.all(answers)).map(({ wasPlaced }) => wasPlaced);
  expect(told).toEqual(Array.from({ length: questions }, () => false));
  for (const { connection } of [one, other]) await connection.close();
});
