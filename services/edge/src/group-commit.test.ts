/** One durable write for the mails of the same moments: what goes together, what never waits, and whose answer is whose. */
import { FakeClock } from '@postern/clock';
import { type Publisher, type PublishResult, spoolBatchEnvelopes, spooledEnvelopes } from '@postern/stream';
import { expect, test } from 'vitest';
import { GroupCommit } from './group-commit.js';

interface Written {
  readonly msgId: string;
  readonly envelopes: readonly string[];
  readonly deadlineMs: number | undefined;
  readonly answer: (result: PublishResult) => void;
}

const stored = (sequence: number): PublishResult => ({ kind: 'stored', sequence, duplicate: false });

function stage() {
  const clock = new FakeClock();
  const written: Written[] = [];
  const publisher: Publisher = {
    publish: (_subject, data, { msgId, deadlineMs, headers }) =>
      new Promise((answer) => {
        const envelopes = spooledEnvelopes({ data, header: (name) => headers?.[name] ?? '' });
        written.push({
          msgId,
          envelopes: envelopes.map((bytes) => Buffer.from(bytes).toString('latin1')),
          deadlineMs,
          answer,
        });
      }),
  };
  const sizes: number[] = [];
  const commits = new GroupCommit({ publisher, clock, deadlineMs: 5_000, onWrite: (mails) => sizes.push(mails) });
  const store = (id: string, size = 10): Promise<PublishResult> => commits.store(id, Buffer.alloc(size, id));
  return { clock, written, sizes, store };
}

test('a mail alone is written at once, as it is', async () => {
  const { written, store } = stage();
  const answer = store('a');
  expect(written.map(({ msgId, envelopes }) => [msgId, envelopes])).toEqual([['a', ['aaaaaaaaaa']]]);
  written[0]?.answer(stored(1));
  expect(await answer).toEqual(stored(1));
});

test('what comes while one is under way goes together with the next, and its answer holds for all', async () => {
  const { written, sizes, store } = stage();
  const first = store('a');
  const others = ['b', 'c', 'd'].map((id) => store(id));
  expect(written).toHaveLength(1);
  written[0]?.answer(stored(1));
  expect(await first).toEqual(stored(1));
  expect(written[1]).toMatchObject({ msgId: 'b', envelopes: ['bbbbbbbbbb', 'cccccccccc', 'dddddddddd'] });
  expect(sizes).toEqual([1, 3]);
  const refused: PublishResult = { kind: 'refused', reason: 'maximum bytes exceeded' };
  written[1]?.answer(refused);
  expect(await Promise.all(others)).toEqual([refused, refused, refused]);
});

test('nobody waits long behind a write that hangs', async () => {
  const { clock, written, store } = stage();
  void store('a');
  void store('b');
  await clock.advance(49);
  void store('c');
  expect(written).toHaveLength(1);
  await clock.advance(1);
  expect(written[1]).toMatchObject({ msgId: 'b', envelopes: ['bbbbbbbbbb', 'cccccccccc'], deadlineMs: 4_950 });
});

test('a full message does not wait, by number or by octets, and none is fuller than that', () => {
  const byNumber = stage();
  for (let n = 0; n <= spoolBatchEnvelopes * 2; n++) void byNumber.store(String(n));
  expect(byNumber.written.map(({ envelopes }) => envelopes.length)).toEqual([
    1,
    spoolBatchEnvelopes,
    spoolBatchEnvelopes,
  ]);
  const byOctets = stage();
  for (const id of ['a', 'b', 'c', 'd']) void byOctets.store(id, 128 * 1024);
  expect(byOctets.written.map(({ envelopes }) => envelopes.length)).toEqual([1, 2]);
  const large = stage();
  for (const id of ['a', 'b', 'c']) void large.store(id, 200 * 1024);
  expect(large.written.map(({ envelopes }) => envelopes.length)).toEqual([1, 1]);
});

/** A write of a crowd was answered, and `waiting` came meanwhile. */
async function afterCrowd(waiting: readonly string[]) {
  const staged = stage();
  const { clock, written, store } = staged;
  void store('a');
  for (const id of ['b', 'c', 'd']) void store(id);
  written[0]?.answer(stored(1));
  await clock.advance(0);
  for (const id of waiting) void store(id);
  written[1]?.answer(stored(2));
  await clock.advance(0);
  return { ...staged, next: () => written.slice(2).map(({ envelopes }) => envelopes.map(([letter]) => letter)) };
}

test('after a crowd a write waits for as many as it carried', async () => {
  const { store, next } = await afterCrowd(['e']);
  void store('f');
  expect(next()).toEqual([]);
  void store('g');
  expect(next()).toEqual([['e', 'f', 'g']]);
});

test('and goes at once where they are there', async () => {
  const { next } = await afterCrowd(['e', 'f', 'g', 'h']);
  expect(next()).toEqual([['e', 'f', 'g', 'h']]);
});

test('and goes with what there is after 20 ms', async () => {
  const { clock, next } = await afterCrowd(['e']);
  await clock.advance(19);
  expect(next()).toEqual([]);
  await clock.advance(1);
  expect(next()).toEqual([['e']]);
});

test('a mail that comes when the wait is over and nobody came goes at once', async () => {
  const { clock, store, next } = await afterCrowd([]);
  await clock.advance(20);
  expect(next()).toEqual([]);
  void store('e');
  expect(next()).toEqual([['e']]);
});

test('a full message does not wait for a crowd either', async () => {
  const { store, next } = await afterCrowd(['e']);
  void store('f', 256 * 1024);
  expect(next()).toEqual([['e'], ['f']]);
});

test('a publish that fails by exception is an unknown end, not a crash', async () => {
  const publisher: Publisher = { publish: () => Promise.reject(new Error('closed')) };
  const commits = new GroupCommit({
    publisher,
    clock: new FakeClock(),
    deadlineMs: 5_000,
    onWrite: () => undefined,
  });
  expect(await commits.store('a', Buffer.from('x'))).toEqual({ kind: 'unknown', reason: 'closed' });
});
