/** Which mails of one message of SPOOL go into WORK together, and under which name WORK takes them over. */
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { Disposition, Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  type Delivery,
  type Publisher,
  type PublishOptions,
  type PublishResult,
  type StreamName,
  shardOf,
  spoolMessage,
  spoolSubject,
  workItems,
} from '@postern/stream';
import { describe, expect, test } from 'vitest';
import type { LeftFate } from './batch-observer.js';
import { type Placement, placementOf } from './placement.js';
import { compilePolicy } from './policy-in-use.js';
import { createTakeOver } from './take-over.js';
import { envelope, forwardPath, testSnapshot } from './testing/messages.js';

const policy = compilePolicy(
  Snapshot.fromPartial({
    ...testSnapshot(),
    domains: [
      { name: 'acme.test', tenant: 'acme', nextHop: 'main' },
      { name: 'beta.test', tenant: 'beta', nextHop: 'main' },
      { name: 'blue.acme.test', tenant: 'acme', nextHop: 'blue' },
    ],
    nextHops: [{ name: 'main' }, { name: 'blue', egressPool: 'blue' }],
  }),
);
const placed = (message: Envelope, admit = true): Placement =>
  placementOf(message, { policy, nowMs: 0, quarantineKeepMs: 1, admit: () => admit });

interface Asked extends PublishOptions {
  readonly subject: string;
  readonly data: Uint8Array;
}

const stored: PublishResult = { kind: 'stored', sequence: 1, duplicate: false };

/** Subject and time of what the streams hold. */
type Held = Partial<Record<StreamName, { readonly subject: string; readonly storedAtMs: number }>>;

function stage(result = stored, held: Held = {}) {
  const asked: Asked[] = [];
  const removed: string[] = [];
  const publisher: Publisher = {
    publish(subject, data, options) {
      asked.push({ ...options, subject, data });
      return Promise.resolve(result);
    },
  };
  const told: LeftFate[] = [];
  const reader: Parameters<typeof createTakeOver>[1] = {
    at(stream, sequence) {
      const found = held[stream];
      return Promise.resolve(found && { ...found, sequence, data: Buffer.alloc(0), header: () => '' });
    },
    remove: (stream, sequence) => Promise.resolve(void removed.push(`${stream} ${sequence}`)),
  };
  const takeOver = createTakeOver(publisher, reader, { left: (_message, fate) => void told.push(fate) });
  return { asked, removed, told, takeOver };
}

const plain = (): Envelope => envelope(['ann@acme.test']);
const bodied = (size: number): Envelope =>
  envelope(['ann@acme.test'], { body: { place: { $case: 'inline', value: Buffer.alloc(size, 'x') } } });
const disposed = (disposition: Disposition) => forwardPath('bob@acme.test', { disposition });

describe('together go', () => {
  test.each<[string, Envelope]>([
    ['mails of the same tenant', plain()],
    ['mails of different tenants', envelope(['bob@beta.test'])],
    ['several recipients of one item', envelope(['ann@acme.test', 'bob@acme.test'])],
    ['a body by reference', envelope(['ann@acme.test'], { body: { place: { $case: 'bodyId', value: '01BODY' } } })],
  ])('%s', (_what, second) => {
    const first = plain();
    const together = stage().takeOver.together([placed(first), placed(second)]);
    expect(together?.subject).toBe(`work.default.${shardOf(first.queueId)}`);
    const header = (name: string): string => together?.message.headers[name] ?? '';
    const items = workItems({ data: together?.message.data ?? Buffer.alloc(0), header }).map((data) =>
      Item.decode(data),
    );
    expect(items.map(({ queueId }) => queueId)).toEqual([first.queueId, second.queueId]);
    expect(items.map(({ itemId }) => itemId)).toEqual(
      [first, second].flatMap((message) => placed(message).work.map(({ itemId }) => itemId)),
    );
  });

  test('mails of another egress pool', () => {
    const [one, two] = [envelope(['ann@blue.acme.test']), envelope(['bob@blue.acme.test'])];
    const together = stage().takeOver.together([placed(one), placed(two)]);
    expect(together?.subject).toBe(`work.blue.${shardOf(one.queueId)}`);
  });
});

describe('each by itself go', () => {
  test.each<[string, readonly Placement[]]>([
    ['no mails', []],
    ['different egress pools', [placed(plain()), placed(envelope(['ann@blue.acme.test']))]],
    ['one that fans out', [placed(plain()), placed(envelope(['ann@acme.test', 'bob@beta.test']))]],
    ['one in quarantine', [placed(plain()), placed(envelope([disposed(Disposition.QUARANTINE)]))]],
    ['one of which a part is held', [placed(envelope(['ann@acme.test', disposed(Disposition.HOLD)])), placed(plain())]],
    ['one discarded', [placed(plain()), placed(envelope([disposed(Disposition.DISCARD)]))]],
    [
      'one of which a part is discarded',
      [placed(plain()), placed(envelope(['ann@acme.test', disposed(Disposition.DISCARD)]))],
    ],
    ['one with a recipient met twice', [placed(plain()), placed(envelope(['ann@acme.test', 'Ann@acme.test']))]],
    [
      'one to an alias',
      [placed(plain()), placed(envelope([forwardPath('all@acme.test', { expandsTo: ['bob@acme.test'] })]))],
    ],
    ['one that waits for a place in its window', [placed(plain()), placed(plain(), false)]],
    ['what is too large for one message', [placed(bodied(400 * 1024)), placed(bodied(400 * 1024))]],
  ])('%s', (_what, placements) => {
    expect(stage().takeOver.together(placements)).toBeUndefined();
  });
});

test('a repetition is marked, a first try is not; what WORK refuses is not done', async () => {
  const first = plain();
  const { asked, takeOver } = stage();
  const together = takeOver.together([placed(first), placed(plain())]);
  if (together === undefined) throw new Error('not together');
  const message = cameBack([bytesOf(first), bytesOf(plain())]);
  expect(await takeOver.place(message, first.queueId, together, false)).toEqual({
    step: { done: true },
    wasPlaced: true,
  });
  expect(asked).toMatchObject([
    {
      subject: together.subject,
      msgId: `batch:${first.queueId}`,
      headers: { 'Postern-Batch': '2' },
      repeatHeaders: { 'Postern-Again': 'queue' },
    },
  ]);
  await takeOver.place(message, first.queueId, together, true);
  expect(asked[1]).toMatchObject({ headers: { 'Postern-Batch': '2', 'Postern-Again': 'queue' } });
  const full = stage({ kind: 'refused', reason: 'maximum bytes exceeded' });
  expect(await full.takeOver.place(message, first.queueId, together, false)).toMatchObject({
    step: { done: false, step: 'work' },
  });
  const late = stage({ ...stored, duplicate: true }, { WORK: { subject: 'work.~back.1', storedAtMs: 1 } });
  expect(await late.takeOver.place(message, first.queueId, together, false)).toMatchObject({ wasPlaced: false });
});

/** A batch of SPOOL that came back. */
function cameBack(envelopes: readonly [Uint8Array, ...Uint8Array[]]): Delivery {
  const { data, headers } = spoolMessage(envelopes);
  return {
    ...{ subject: spoolSubject('Q1'), data, sequence: 7, deliveryCount: 2, pending: 0, storedAtMs: 99 },
    header: (name) => headers[name] ?? '',
    ack: () => expect.unreachable(),
    ackConfirmed: () => Promise.resolve(false),
    nak: () => expect.unreachable(),
    working: () => undefined,
  };
}

const bytesOf = (message: Envelope): Uint8Array => Envelope.encode(message).finish();
const garbage = Buffer.from([0x0a, 0xff]);

describe('what came back is left', () => {
  test('as it is, under the name its items would have had', async () => {
    const first = plain();
    const message = cameBack([bytesOf(first), garbage]);
    const { asked, takeOver } = stage();
    expect(await takeOver.leave(message)).toEqual({ step: { done: true }, wasPlaced: false });
    const subject = `work.~back.${shardOf('Q1')}`;
    const headers = { 'Postern-Batch': '2', 'Postern-Spooled': '7:99', 'Postern-Again': 'left' };
    expect(asked).toMatchObject([{ subject, msgId: `batch:${first.queueId}`, headers, data: message.data }]);
  });

  test.each([
    ['cannot be read', garbage],
    ['has no name that can be used', bytesOf({ ...plain(), queueId: 'not a name' })],
  ])('under its own name where the first mail %s', async (_what, first) => {
    const { asked, takeOver } = stage();
    await takeOver.leave(cameBack([first, bytesOf(plain())]));
    expect(asked.map(({ msgId }) => msgId)).toEqual(['batch:7:99']);
  });

  test.each<[string, Held, boolean]>([
    ['its items are in WORK', { WORK: { subject: 'work.default.1', storedAtMs: 1 } }, true],
    ['it was left in WORK', { WORK: { subject: 'work.~back.1', storedAtMs: 1 } }, false],
    ['its items are done', { SPOOL: { subject: 'spool.1', storedAtMs: 99 } }, true],
    ['what was left is taken apart', {}, false],
    [
      'what was left is taken apart and its sequence given anew',
      { SPOOL: { subject: 'spool.1', storedAtMs: 9_900 } },
      false,
    ],
  ])('WORK has its name, %s', async (_what, held, wasPlaced) => {
    const { takeOver, told } = stage({ ...stored, duplicate: true }, held);
    const left = await takeOver.leave(cameBack([bytesOf(plain()), bytesOf(plain())]));
    expect(left).toEqual({ step: { done: true }, wasPlaced });
    expect(told).toEqual([wasPlaced ? 'placed' : 'left']);
  });

  test.each<PublishResult>([
    { kind: 'refused', reason: 'maximum bytes exceeded' },
    { kind: 'unknown', reason: 'no answer' },
  ])('not: %o', async (result) => {
    const { takeOver, told } = stage(result);
    const left = await takeOver.leave(cameBack([bytesOf(plain()), bytesOf(plain())]));
    expect(told).toEqual([]);
    expect(left.step).toEqual({ done: false, step: 'work', reason: 'reason' in result ? result.reason : '' });
  });
});

test.each<[string, string, Held, readonly string[]]>([
  ['is removed', '7:99', { SPOOL: { subject: 'spool.1', storedAtMs: 99 } }, ['SPOOL 7']],
  ['is gone', '7:99', {}, []],
  ['is another one', '7:99', { SPOOL: { subject: 'spool.1', storedAtMs: 9_900 } }, []],
  ['is not named', '', { SPOOL: { subject: 'spool.1', storedAtMs: 99 } }, []],
])('the message of SPOOL that was left %s', async (_what, said, held, removed) => {
  const one = stage(stored, held);
  await one.takeOver.dropSpooled({
    ...cameBack([bytesOf(plain()), bytesOf(plain())]),
    header: (name) => (name === 'Postern-Spooled' ? said : ''),
  });
  expect(one.removed).toEqual(removed);
});
