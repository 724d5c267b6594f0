/** A batch that was left in WORK goes back to SPOOL as its single mails; those that SPOOL has no room for, and no others, are worked on by whoever took it. Real NATS. */
import { systemClock } from '@postern/clock';
import {
  backConsumer,
  backSubject,
  connectStreams,
  consume,
  createLeftoverReader,
  createPublisher,
  type Delivery,
  ensureStreams,
  type Publisher,
  spoolMessage,
  spoolParts,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { createTakeApart } from './take-apart.js';

const nats = withNats();
const KiB = 1024;
const patience = { timeout: 10_000 };
const mail = (name: string, bytes: number): Buffer => Buffer.concat([Buffer.from(name), Buffer.alloc(bytes, ' ')]);
const nameOf = ({ data }: { readonly data: Uint8Array }): string => Buffer.from(data).toString().trim();
const batch = [mail('one', KiB), mail('large', 64 * KiB), mail('two', KiB)] as const;

/** The batch, left in WORK, and whoever takes it. */
async function stage(publish: (publisher: Publisher) => Publisher['publish'] = ({ publish: as }) => as) {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'], maxBytes: { SPOOL: 32 * KiB } });
  const publisher = createPublisher(connection, systemClock);
  const takeApart = createTakeApart({ publish: publish(publisher) }, { apart: () => undefined });
  const reader = await createLeftoverReader(connection);
  const { data, headers } = spoolMessage(batch);
  await publisher.publish(backSubject('spool.7'), data, { msgId: `batch:${systemClock.now()}`, headers });
  const given: Delivery[] = [];
  const rests: (readonly Delivery[])[] = [];
  const options = { maxInFlight: 10, maxBatch: 1, onError: (error: Error) => expect.unreachable(error.message) };
  const back = consume(connection, systemClock, backConsumer, options, async ([message]) => {
    if (message === undefined) return;
    given.push(message);
    rests.push(await takeApart.whole(message, spoolParts(message)));
  });
  return {
    given,
    rests,
    inSpool: () => reader.oldest('SPOOL', Number.POSITIVE_INFINITY, 20),
    inWork: () => reader.oldest('WORK', Number.POSITIVE_INFINITY, 20),
    close: async () => {
      await back.stop();
      for (const { sequence } of await reader.oldest('SPOOL', Number.POSITIVE_INFINITY, 20))
        await reader.remove('SPOOL', sequence);
      await connection.close();
    },
  };
}

test('what SPOOL has is worked on by nobody else, and the message stays until the rest is done', async () => {
  const { rests, inSpool, inWork, close } = await stage();
  await vi.waitFor(() => expect(rests.map((rest) => rest.map(nameOf))).toEqual([['large']]), patience);
  const put = await inSpool();
  expect(put.map((message) => [nameOf(message), message.header('Postern-Again')]).sort()).toEqual([
    ['one', 'apart'],
    ['two', 'apart'],
  ]);
  expect(await inWork()).toHaveLength(1);
  rests[0]?.[0]?.ack();
  await vi.waitFor(async () => expect(await inWork()).toEqual([]), patience);
  await close();
});

test('where one is not known to be there, all of it comes again and none is worked on meanwhile', async () => {
  let silent = true;
  const { given, rests, inSpool, close } = await stage(
    (publisher) => (subject, data, options) =>
      silent && nameOf({ data }) === 'two'
        ? Promise.resolve({ kind: 'unknown', reason: 'no answer' })
        : publisher.publish(subject, data, options),
  );
  await vi.waitFor(() => expect(rests).toEqual([[]]), patience);
  silent = false;
  await vi.waitFor(() => expect(rests.map((rest) => rest.map(nameOf))).toEqual([[], ['large']]), patience);
  expect(given.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 2]);
  expect((await inSpool()).map(nameOf).sort()).toEqual(['one', 'two']);
  rests[1]?.[0]?.ack();
  await close();
});
