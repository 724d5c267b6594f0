import { systemClock } from '@postern/clock';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { createLeftoverReader, workSubject } from '@postern/stream';
import { expect, test } from 'vitest';
import { createLeftoverRound } from './leftovers.js';
import { withQueue } from './testing/ground.js';
import { answer, envelope, newQueueId } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '5ms' } });

test('an item whose outcome is recorded is removed when WORK still holds it; one without proof stays', async () => {
  const { ground } = queue;
  const message = envelope(['bob@acme.test']);
  await ground.spool(message);
  const [item] = await ground.until(
    () => ground.work.filter(({ queueId }) => queueId === message.queueId),
    ({ length }) => length === 1,
  );
  if (item === undefined) throw new Error('no item');
  await ground.outcomes(answer(item, OutcomeKind.DELIVERED));
  await ground.until(
    async () =>
      (await ground.admin.query('SELECT state FROM mail.recipients WHERE queue_id = $1', [message.queueId])).rows,
    ([unit]) => unit?.state === 'delivered',
  );
  // What a killed server leaves: messages no consumer will be given. An egress pool without a consumer makes such.
  const unknown = newQueueId();
  for (const queueId of [message.queueId, unknown]) {
    const left: Item = { ...item, queueId };
    const stored = await ground.publisher.publish(workSubject('ghost', queueId), Item.encode(left).finish(), {
      msgId: `left:${queueId}`,
    });
    expect(stored.kind).toBe('stored');
  }
  const reader = await createLeftoverReader(ground.connection);
  const removed: [string, number][] = [];
  const inTwoMinutes = { now: () => systemClock.now() + 120_000 };
  const parts = {
    database: ground.database,
    reader,
    onRemoved: (stream: string, count: number) => removed.push([stream, count]),
  };
  await createLeftoverRound({ ...parts, clock: systemClock })();
  expect(removed).toEqual([]);
  await createLeftoverRound({ ...parts, clock: inTwoMinutes })();
  expect(removed).toEqual([['WORK', 1]]);
  const rest = await reader.oldest('WORK', Number.POSITIVE_INFINITY, 10);
  expect(rest.map(({ data }) => Item.decode(data).queueId)).toEqual([unknown]);
});
