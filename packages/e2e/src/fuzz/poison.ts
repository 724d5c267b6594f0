/**
 * Poison on the streams, published with the rights of the service that may: bytes that are no message, messages that make no sense. Expected: what
 * cannot be read is parked with an event (a trace: dropped and counted), the streams empty themselves, no process ends, mail goes on.
 */
import { Disposition, Envelope, ForwardPath } from '@postern/proto/mail/v1/envelope';
import { Item, ItemRecipient, LaneClass, NextHop, Route, TlsMode } from '@postern/proto/mail/v1/item';
import { OutcomeBatch, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { TraceBatch } from '@postern/proto/mail/v1/trace';
import type { StreamConnection } from '@postern/stream';
import { asService, logOf } from './cluster-files.js';
import { mutate } from './grammar.js';
import { type AttackContext, checkMailGoesOn } from './mail-goes-on.js';
import { watchProcesses } from './process-watch.js';
import { Chance, seedOf } from './random.js';
import { messagesIn, waitEmpty } from './stream-levels.js';

const recipient = (address: string, tenant = 'fuzz'): ForwardPath => ForwardPath.fromPartial({ address, tenant });
const nasty = [
  '',
  'x',
  '\0',
  'a\0b@fuzz.test',
  'a\r\nRCPT TO:<b@c.test>',
  '__proto__',
  '😀@fuzz.test',
  'x'.repeat(5_000),
] as const;

/** Nobody can read these. */
export const unreadable = [
  Buffer.from([0x0a, 0xff]),
  Buffer.from('ffffffffffffffffffff01', 'hex'),
  Buffer.from([0x0a, 0x05, 0x41]),
];

function envelopes(): Buffer[] {
  const base = Envelope.fromPartial({ renderings: [{}], acceptedAtMs: Date.now() });
  const valid = (change: Partial<Envelope>): Buffer =>
    Buffer.from(
      Envelope.encode({
        ...base,
        queueId: `poison${Math.floor(performance.now() * 1_000)}`,
        forwardPaths: [recipient('poison@fuzz.test')],
        body: { place: { $case: 'inline', value: Buffer.from('X-Poison: 1\r\n\r\nx\r\n') } },
        ...change,
      }).finish(),
    );
  return [
    Buffer.alloc(0),
    valid({ queueId: 'no spaces allowed' }),
    valid({ forwardPaths: [] }),
    valid({ forwardPaths: [recipient('poison@fuzz.test', '')] }),
    valid({ forwardPaths: [recipient('poison@fuzz.test', 'no-such-tenant')] }),
    valid({ forwardPaths: [{ ...recipient('poison@fuzz.test'), rendering: 4_000_000_000 }] }),
    valid({ forwardPaths: [{ ...recipient('poison@fuzz.test'), disposition: Disposition.UNRECOGNIZED }] }),
    valid({ forwardPaths: [{ ...recipient('poison@fuzz.test'), expandsTo: ['', 'x', 'a@b@c'] }] }),
    valid({ queueId: 'poison-missing-body', body: { place: { $case: 'bodyId', value: 'there-is-no-such-body' } } }),
    valid({ queueId: 'poison-bad-body-id', body: { place: { $case: 'bodyId', value: 'bad.id.>' } } }),
    valid({ acceptedAtMs: -1 }),
    ...nasty.map((text) => valid({ reversePath: text })),
    ...nasty.map((text) => valid({ forwardPaths: [recipient(text)] })),
  ];
}

function items(): Buffer[] {
  const now = Date.now();
  const hops = (...nextHops: { host: string; port: number }[]): Route =>
    Route.fromPartial({
      laneClass: LaneClass.LOCAL,
      lane: 'poison',
      egressPool: 'default',
      domain: 'fuzz.test',
      nextHops: nextHops.map((hop) => NextHop.fromPartial({ ...hop, tlsMode: TlsMode.NONE })),
    });
  const to = (address: string): ItemRecipient => ItemRecipient.fromPartial({ address });
  const base = Item.fromPartial({ queueId: 'poison-item', attempt: 1, tenant: 'fuzz', acceptedAtMs: now });
  const valid = (change: Partial<Item>): Buffer =>
    Buffer.from(
      Item.encode({
        ...base,
        itemId: `poison:${Math.floor(performance.now() * 1_000)}:1`,
        route: hops({ host: '127.0.0.1', port: 1 }),
        recipients: [to('poison@fuzz.test')],
        body: { place: { $case: 'inline', value: Buffer.from('X-Poison: 1\r\n\r\nx\r\n') } },
        expiresAtMs: now + 20_000,
        ...change,
      }).finish(),
    );
  return [
    Buffer.alloc(0),
    valid({ recipients: [] }),
    valid({ route: undefined }),
    valid({ route: hops() }),
    valid({ route: hops({ host: '', port: 0 }) }),
    valid({ route: hops({ host: 'bad host\0', port: 99_999_999 }) }),
    valid({ body: { place: { $case: 'bodyId', value: 'there-is-no-such-body' } } }),
    valid({ body: { place: { $case: 'bodyId', value: 'bad.id.>' } } }),
    valid({ body: undefined }),
    valid({ attempt: 4_000_000_000 }),
    valid({ tenant: 'no-such-tenant' }),
    valid({ expiresAtMs: -5 }),
    ...nasty.map((text) => valid({ queueId: text })),
    ...nasty.map((text) => valid({ itemId: text })),
    ...nasty.map((text) => valid({ reversePath: text })),
    ...nasty.map((text) => valid({ recipients: [to(text)] })),
  ];
}

function outcomes(): Buffer[] {
  const valid = (change: object): Buffer =>
    Buffer.from(
      OutcomeBatch.encode(
        OutcomeBatch.fromPartial({
          outcomes: [
            {
              kind: OutcomeKind.DELIVERED,
              queueId: 'poison-outcome',
              tenant: 'fuzz',
              attempt: 1,
              atMs: Date.now(),
              recipients: [{ address: 'poison@fuzz.test' }],
              ...change,
            },
          ],
        }),
      ).finish(),
    );
  return [
    Buffer.alloc(0),
    valid({ kind: 99 }),
    valid({ kind: 0 }),
    valid({ recipients: [] }),
    valid({ attempt: 4_000_000_000 }),
    valid({ atMs: -1 }),
    valid({ kind: OutcomeKind.DEFERRED }),
    valid({ kind: OutcomeKind.DEFERRED, item: {} }),
    valid({ kind: OutcomeKind.ACCEPTED }),
    valid({ kind: OutcomeKind.BOUNCED, item: {} }),
    ...nasty.map((text) => valid({ queueId: text })),
    ...nasty.map((text) => valid({ tenant: text })),
    ...nasty.map((text) => valid({ recipients: [{ address: text, replyText: text, remoteHost: text }] })),
  ];
}

function traces(): Buffer[] {
  const valid = (change: object): Buffer =>
    Buffer.from(
      TraceBatch.encode(
        TraceBatch.fromPartial({
          events: [{ atMs: Date.now(), event: 'edge.session.opened', tenant: 'fuzz', ...change }],
        }),
      ).finish(),
    );
  return [
    Buffer.alloc(0),
    valid({ atMs: -1 }),
    valid({ atMs: Number.MAX_SAFE_INTEGER }),
    ...nasty.map((text) =>
      valid({ event: text, sessionId: text, queueId: text, tenant: text, detail: { [text]: text } }),
    ),
  ];
}

const mutationsOfEach = 3;

export async function fuzzStreams(context: AttackContext): Promise<void> {
  const { report, cluster, seed } = context;
  const watch = await watchProcesses(cluster);
  const edge = await asService(cluster, 'edge');
  const queue = await asService(cluster, 'queue');
  const delivery = await asService(cluster, 'delivery');
  const targets: readonly {
    stream: string;
    subject: string;
    by: StreamConnection;
    messages: Buffer[];
    parkedBy?: string;
  }[] = [
    { stream: 'SPOOL', subject: 'spool.7', by: edge, messages: envelopes(), parkedBy: 'queue-0' },
    { stream: 'WORK', subject: 'work.default.7', by: queue, messages: items(), parkedBy: 'delivery-0' },
    { stream: 'OUTCOMES', subject: 'outcomes.delivery', by: delivery, messages: outcomes(), parkedBy: 'queue-0' },
    { stream: 'TRACE', subject: 'trace.edge', by: edge, messages: traces() },
  ];
  try {
    for (const [number, { stream, subject, by, messages, parkedBy }] of targets.entries()) {
      const chance = new Chance(seedOf(seed, number));
      const mutants = messages.flatMap((one) =>
        one.length === 0
          ? []
          : Array.from({ length: mutationsOfEach }, () => mutate(chance, one, chance.between(1, 5))),
      );
      const all = [...unreadable, ...messages, ...mutants];
      const before = await messagesIn(queue, 'PARKED');
      for (const data of all) await by.jetstream.publish(subject, data);
      const problems: string[] = [];
      if (parkedBy !== undefined) {
        const left = await waitEmpty(queue, stream, 90_000);
        if (left > 0) problems.push(`${left} messages are still in ${stream} after 90 s`);
        const parked = (await messagesIn(queue, 'PARKED')) - before;
        report.say(`        ${stream}: ${all.length} published, ${parked} parked`);
        if (parked < unreadable.length) problems.push(`${parked} parked, at least ${unreadable.length} cannot be read`);
        if (!/"event":"[a-z.]*parked"/.test(await logOf(cluster, parkedBy)))
          problems.push(`no event in the log of ${parkedBy}`);
      }
      report.check(`${all.length} poison messages on ${stream}`, problems);
    }
  } finally {
    for (const connection of [edge, queue, delivery]) await connection.close();
  }
  await checkMailGoesOn(context, 'poison messages');
  watch.stop();
  report.check('no process ended by poison', await watch.changes());
}
