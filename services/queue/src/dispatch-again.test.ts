/** A pod killed between WORK and the mark of the row, and a NATS server started again: the item says that delivery has to look for its done mark. */
import { systemClock } from '@postern/clock';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { workSubject } from '@postern/stream';
import { expect, test } from 'vitest';
import { withQueue } from './testing/ground.js';
import { answer, envelope } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms' } });

const began = systemClock.now();

async function itemOnce(recipient: string): Promise<Item> {
  const message = envelope([recipient]);
  await queue.ground.spool(message);
  return nth(message.queueId, 0);
}

/** An item that was tried once; its row waits. */
async function deferred(recipient: string): Promise<Item> {
  const { ground } = queue;
  const item = await itemOnce(recipient);
  await ground.bodies.put(item.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
  await ground.outcomes(answer(item, OutcomeKind.DEFERRED, { replyCode: 451, replyText: 'later' }));
  await ground.until(
    () => ground.admin.query('SELECT 1 FROM mail.waiting WHERE queue_id = $1', [item.queueId]),
    ({ rows }) => rows.length === 1,
  );
  return item;
}

async function nth(queueId: string, index: number): Promise<Item> {
  const { ground } = queue;
  const items = await ground.until(
    () => ground.work.filter((item) => item.queueId === queueId),
    ({ length }) => length > index,
  );
  const item = items[index];
  if (item === undefined) throw new Error('no item');
  return item;
}

/** Its second item, from a row due at this time. */
async function secondIsMarked({ queueId }: Item, dueAt: number): Promise<boolean> {
  const { ground } = queue;
  await ground.admin.query('UPDATE mail.waiting SET due_at = $2 WHERE queue_id = $1', [queueId, dueAt]);
  return ground.again.has((await nth(queueId, 1)).itemId);
}

/** A time well after this one, when it has come. */
const later = (atMs: number): Promise<number> =>
  queue.ground.until(
    () => systemClock.now(),
    (now) => now > atMs + 3_000,
  );

test('a server that was started again takes the id of an item that is gone once more', async () => {
  const { ground } = queue;
  const item = await itemOnce('premise@acme.test');
  const publish = () =>
    ground.publisher.publish(workSubject('default', item.queueId), Item.encode(item).finish(), { msgId: 'premise' });
  expect(await publish()).toMatchObject({ kind: 'stored', duplicate: false });
  await nth(item.queueId, 1);
  expect(await publish()).toMatchObject({ kind: 'stored', duplicate: true });
  await ground.restartNats();
  expect(await publish()).toMatchObject({ kind: 'stored', duplicate: false });
});

test('a row that may have been dispatched before the server or the pod was started says so, others do not', async () => {
  const { ground } = queue;
  const [early, fresh, lost, after] = [
    await deferred('early@acme.test'),
    await deferred('fresh@acme.test'),
    await deferred('lost@acme.test'),
    await deferred('after@acme.test'),
  ];
  expect(await secondIsMarked(early, began)).toBe(true);
  expect(await secondIsMarked(fresh, await later(systemClock.now()))).toBe(false);
  const dueAt = systemClock.now();
  await ground.restartNats();
  const restarted = systemClock.now();
  expect(await secondIsMarked(lost, dueAt)).toBe(true);
  expect(await secondIsMarked(after, await later(restarted))).toBe(false);
}, 60_000);
