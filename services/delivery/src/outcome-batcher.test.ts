/** However much items say that end in the same moment, no message of OUTCOMES becomes too large for the stream. Real NATS. */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import { connectStreams, createLeftoverReader, createPublisher, ensureStreams } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';
import { createOutcomeBatcher } from './outcome-batcher.js';
import { outcomesOf } from './outcomes-of.js';
import { item } from './testing/worker-stage.js';

const nats = withNats();
const by = { host: 'mx.lists.test', address: '192.0.2.201', tlsVersion: 'TLSv1.3' };
const answer = { disposition: 'temporary', code: 421, enhanced: '4.7.28', maybeDelivered: false } as const;
const text = 'Unusual rate of mail from your address, which is limited for now; '.repeat(8);

/** Put off as a whole by a next hop that says much. */
function putOff(queueId: string, recipients: number): Outcome[] {
  const addresses = Array.from({ length: recipients }, (_, index) => `a.longer.name.${index}@lists.test`);
  const kept = {
    ...item(queueId),
    recipients: addresses.map((address) => ({ address, notify: [], originalRecipient: `rfc822;${address}` })),
  };
  const answers = addresses.map((address) => ({ ...answer, address, text }));
  return outcomesOf(kept, kept, answers, by, 0);
}

test.each([
  { items: 64, recipients: 1, messages: 1 },
  { items: 64, recipients: 30, messages: 3 },
  { items: 40, recipients: 100, messages: 6 },
])('$items items of $recipients recipients at once', async ({ items, recipients, messages }) => {
  const connection = await connectStreams({ servers: [nats.url], user: 'delivery', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const reader = await createLeftoverReader(connection);
  const batcher = createOutcomeBatcher({
    publisher: createPublisher(connection, systemClock),
    clock: systemClock,
    newId: createUlidSource(systemClock, systemRandom),
    lingerMs: 20,
    deadlineMs: 2_000,
  });
  const queueIds = Array.from({ length: items }, (_, index) => `Q${index}`);
  const results = await Promise.all(queueIds.map((queueId) => batcher.add(putOff(queueId, recipients))));
  expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['stored']));
  const stored = await reader.oldest('OUTCOMES', Number.POSITIVE_INFINITY, 100);
  const read = stored.flatMap(({ data }) => OutcomeBatch.decode(data).outcomes);
  expect(read).toEqual(queueIds.flatMap((queueId) => putOff(queueId, recipients)));
  expect(stored.length).toBe(messages);
  for (const { sequence } of stored) await reader.remove('OUTCOMES', sequence);
  await connection.close();
});
