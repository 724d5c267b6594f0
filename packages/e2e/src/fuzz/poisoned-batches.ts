/**
 * Poison in messages that hold several mails: in SPOOL, in WORK, and in a message of SPOOL that was left in WORK to come back (ADR 14). Expected: what
 * cannot be read is parked alone, byte for byte; its neighbours arrive once; the streams empty themselves and no process ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@postern/clock';
import { Disposition, Envelope, SpoolBatch } from '@postern/proto/mail/v1/envelope';
import { Item, LaneClass, TlsMode, WorkBatch } from '@postern/proto/mail/v1/item';
import { createLeftoverReader, createPublisher, type LeftoverReader, type StreamConnection } from '@postern/stream';
import { buildMessage } from '@postern/testkit/smtp';
import { asService } from './cluster-files.js';
import { type AttackContext, checkMailGoesOn, waitArrived } from './mail-goes-on.js';
import { unreadable } from './poison.js';
import { watchProcesses } from './process-watch.js';
import { waitEmpty } from './stream-levels.js';

interface Mail {
  readonly token: string;
  readonly queueId: string;
  readonly to: string;
  readonly body: Buffer;
}

interface Target {
  readonly subject: string;
  readonly by: StreamConnection;
  readonly batch: (parts: Buffer[]) => Uint8Array;
  readonly carried: (mail: Mail) => Uint8Array;
}

const from = 'a@sender.test';
const asSpooled = ({ queueId, to, body }: Mail): Uint8Array =>
  Envelope.encode(
    Envelope.fromPartial({
      queueId,
      acceptedAtMs: Date.now(),
      reversePath: from,
      forwardPaths: [{ address: to, tenant: 'fuzz', disposition: Disposition.DELIVER }],
      renderings: [{}],
      size: body.length,
      body: { place: { $case: 'inline', value: body } },
    }),
  ).finish();

const asItem =
  (port: number) =>
  ({ queueId, to, body }: Mail): Uint8Array =>
    Item.encode(
      Item.fromPartial({
        itemId: `${queueId}:1:1`,
        queueId,
        attempt: 1,
        tenant: 'fuzz',
        reversePath: from,
        recipients: [{ address: to }],
        route: {
          ...{ laneClass: LaneClass.LOCAL, lane: 'poison', egressPool: 'default', domain: 'fuzz.test' },
          nextHops: [{ host: '127.0.0.1', port, tlsMode: TlsMode.NONE }],
        },
        acceptedAtMs: Date.now(),
        expiresAtMs: Date.now() + 60_000,
        body: { place: { $case: 'inline', value: body } },
      }),
    ).finish();

const spoolBatch = (envelopes: Buffer[]): Uint8Array => SpoolBatch.encode({ envelopes }).finish();
const workBatch = (items: Buffer[]): Uint8Array => WorkBatch.encode({ items }).finish();
const hex = (list: readonly Uint8Array[]): string[] => list.map((data) => Buffer.from(data).toString('hex')).sort();

let number = 0;

/** A mail that must arrive. */
function newMail({ book }: AttackContext): Mail {
  const token = `beside-${process.pid}-${++number}`;
  const to = `now-${token}@fuzz.test`;
  const body = Buffer.concat([Buffer.from(`X-Fuzz: ${token}\r\n`), buildMessage({ from, to, size: 500 })]);
  book.send(token, [to], body);
  book.settle(token, 250);
  return { token, queueId: `beside${process.pid}-${Date.now()}-${number}`, to, body };
}

async function newestIn(reader: LeftoverReader, parkedBefore: number, wanted: number): Promise<readonly Uint8Array[]> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await reader.oldest('PARKED', Number.POSITIVE_INFINITY, 1_000, parkedBefore + 1);
    if (found.length >= wanted || Date.now() > end) return found.map(({ data }) => data);
    await sleep(250);
  }
}

/** What is wrong after this message: `poison` must be parked, each alone, and the mails arrive. */
async function problemsOf(
  context: AttackContext,
  queue: StreamConnection,
  send: () => Promise<void>,
  poison: readonly Uint8Array[],
  mails: readonly Mail[],
): Promise<string[]> {
  const reader = await createLeftoverReader(queue);
  const { last_seq: before } = (await queue.jetstream.streams.get('PARKED').then((stream) => stream.info(true))).state;
  await send();
  const problems: string[] = [];
  for (const { token } of mails)
    if (!(await waitArrived(context, token, 30_000))) problems.push(`${token} did not arrive in 30 s`);
  const parked = hex(await newestIn(reader, before, poison.length));
  if (parked.join() !== hex(poison).join()) problems.push(`parked ${parked.join(' ')}`, `not ${hex(poison).join(' ')}`);
  for (const stream of ['SPOOL', 'WORK']) {
    const left = await waitEmpty(queue, stream, 60_000);
    if (left > 0) problems.push(`${left} messages are still in ${stream} after 60 s`);
  }
  return [...problems, ...context.book.problems.slice(0, 3)];
}

export async function fuzzBatches(context: AttackContext, sinkPort: number): Promise<void> {
  const { report, cluster } = context;
  const watch = await watchProcesses(cluster);
  const edge = await asService(cluster, 'edge');
  const queue = await asService(cluster, 'queue');
  const targets: readonly Target[] = [
    { subject: 'spool.7', by: edge, batch: spoolBatch, carried: asSpooled },
    { subject: 'work.default.7', by: queue, batch: workBatch, carried: asItem(sinkPort) },
    { subject: 'work.~back.7', by: queue, batch: spoolBatch, carried: asSpooled },
  ];
  try {
    for (const { subject, by, batch, carried } of targets) {
      const publisher = createPublisher(by, systemClock);
      const send = (data: Uint8Array, said: string) => async (): Promise<void> => {
        const options = { msgId: `poisoned:${process.pid}:${++number}`, headers: { 'Postern-Batch': said } };
        const { kind } = await publisher.publish(subject, data, options);
        if (kind !== 'stored') throw new Error(`${subject}: ${kind}`);
      };
      const bytes = (mail: Mail): Buffer => Buffer.from(carried(mail));
      const among = [newMail(context), newMail(context), newMail(context)] as const;
      const poison = [...unreadable, Buffer.alloc(0), Buffer.from(batch([Buffer.from('nested')]))];
      const mixed = batch([bytes(among[0]), ...poison, bytes(among[1]), bytes(among[2])]);
      report.check(
        `${poison.length} poisoned parts of a batch on ${subject} are parked alone`,
        await problemsOf(context, queue, send(mixed, String(poison.length + among.length)), poison, among),
      );
      const whole = [
        ...unreadable,
        Buffer.alloc(0),
        Buffer.from(batch(Array.from({ length: 65 }, () => Buffer.from('many')))),
      ];
      for (const [index, data] of whole.entries())
        report.check(
          `what is no batch on ${subject} is parked as it is (${index + 1} of ${whole.length})`,
          await problemsOf(context, queue, send(data, '3'), [data], []),
        );
      for (const said of ['999999999', '-1', 'NaN', '0']) {
        const mail = newMail(context);
        report.check(
          `a batch on ${subject} that says it has ${said} parts is worked on`,
          await problemsOf(context, queue, send(batch([bytes(mail)]), said), [], [mail]),
        );
      }
    }
  } finally {
    for (const connection of [edge, queue]) await connection.close();
  }
  await checkMailGoesOn(context, 'poisoned batches');
  watch.stop();
  report.check('no process ended by a poisoned batch', await watch.changes());
}
