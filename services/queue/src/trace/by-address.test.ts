/** Message trace by addresses that are written with capital letters, over a real database: what is found, and by which index. */
import { systemClock } from '@postern/clock';
import { Disposition } from '@postern/proto/mail/v1/envelope';
import { TraceBatch, TraceEvent } from '@postern/proto/mail/v1/trace';
import { TraceRequest } from '@postern/proto/queue/v1/queue_service';
import { expect, test } from 'vitest';
import { explained } from '../testing/explained.js';
import { withQueue } from '../testing/ground.js';
import { envelope, forwardPath, newQueueId } from '../testing/messages.js';
import { findMessages } from './find-messages.js';
import { findRefusals } from './refusals.js';
import { findTraces } from './timeline.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms' } });

const traced = (who: string, request: Partial<TraceRequest>) =>
  queue.ground.database.scoped(who, (transaction) => findTraces(transaction, TraceRequest.fromPartial(request), who));
const ids = async (who: string, request: Partial<TraceRequest>) =>
  (await traced(who, request)).map(({ queueId, sessionId }) => queueId || sessionId);

async function stored(recipient: string, reversePath: string) {
  const mail = envelope([forwardPath(recipient, { tenant: 'acme', disposition: Disposition.HOLD })], { reversePath });
  await queue.ground.spool(mail);
  await queue.ground.until(
    () => ids('acme', { id: mail.queueId }),
    (found) => found.length > 0,
  );
  return mail.queueId;
}

test('a message is found however its addresses were written and are asked for', async () => {
  const capitals = await stored('Ann@ACME.test', 'Boss@Far.test');
  const small = await stored('ann@acme.test', 'boss@far.test');
  await stored('anna@acme.test', 'other@far.test');
  const both = [small, capitals];
  for (const asked of ['ann@acme.test', 'Ann@ACME.test', 'ANN@acme.test'])
    expect(await ids('acme', { recipient: asked })).toEqual(both);
  for (const asked of ['boss@far.test', 'Boss@Far.test', 'BOSS@FAR.TEST']) {
    expect(await ids('*', { reversePath: asked })).toEqual(both);
    expect(await ids('*', { reversePath: asked, recipient: 'aNN@acme.test' })).toEqual(both);
  }
  expect(await ids('acme', { recipient: 'ann@acme.test', limit: 1 })).toEqual([small]);
  expect(await ids('beta', { recipient: 'ann@acme.test' })).toEqual([]);
});

test('mail of before, whose address is not kept in lower case besides, is found as it was written', async () => {
  const id = await stored('Old@ACME.test', 'Old@Far.test');
  const { admin } = queue.ground;
  await admin.query("UPDATE mail.recipients SET folded_recipient = '' WHERE queue_id = $1", [id]);
  await admin.query("UPDATE mail.messages SET folded_reverse_path = '' WHERE queue_id = $1", [id]);
  expect(await ids('acme', { recipient: 'Old@ACME.test' })).toEqual([id]);
  expect(await ids('acme', { reversePath: 'Old@Far.test' })).toEqual([id]);
  expect(await ids('acme', { recipient: 'old@acme.test' })).toEqual([]);
});

test('what was refused is found however its addresses were written, logins too', async () => {
  const [session, large, login] = [newQueueId(), newQueueId(), newQueueId()];
  const atMs = systemClock.now();
  const step = { tenant: 'acme', recipient: 'Ghost@ACME.test', reversePath: 'A@Away.test' };
  const events = [
    { ...step, atMs, sessionId: session, event: 'edge.recipient.rejected' },
    { ...step, atMs: atMs + 1, sessionId: large, queueId: newQueueId(), event: 'edge.message.rejected' },
    {
      atMs: atMs + 2,
      tenant: 'acme',
      sessionId: login,
      event: 'edge.login.refused',
      detail: { user: 'Eve@acme.test' },
    },
  ].map((event) => TraceEvent.fromPartial(event));
  await queue.ground.publisher.publish('trace.edge', TraceBatch.encode({ events }).finish(), { msgId: newQueueId() });
  await queue.ground.until(
    () => ids('acme', { id: login }),
    (found) => found.length > 0,
  );
  for (const recipient of ['ghost@acme.test', 'Ghost@ACME.test'])
    expect(await ids('acme', { recipient })).toEqual([large, session]);
  for (const reversePath of ['a@away.test', 'A@Away.test']) {
    expect(await ids('acme', { reversePath })).toEqual([large, session]);
    expect(await ids('acme', { reversePath, recipient: 'GHOST@acme.test' })).toEqual([large, session]);
  }
  expect((await traced('acme', { reversePath: 'a@away.test' }))[0]?.reversePath).toBe('A@Away.test');
  expect(await ids('acme', { reversePath: 'eve@ACME.test' })).toEqual([login]);
});

test.each<[string, Partial<TraceRequest>]>([
  ['recipient', { recipient: 'Ann@acme.test' }],
  ['reverse_path', { reversePath: 'Boss@far.test' }],
])('each way to find a %s goes by an index, under row-level security', async (column, asked) => {
  const request = TraceRequest.fromPartial(asked);
  const plans: string[] = [];
  await queue.ground.database.scoped('acme', async (transaction) => {
    await transaction.script('SET LOCAL enable_seqscan = off');
    await findMessages(explained(transaction, plans), request, 20);
    await findRefusals(explained(transaction, plans), request, 20, new Set());
  });
  for (const plan of plans) {
    expect(plan).toMatch(new RegExp(`Index Cond: .*\\(folded_${column} = `));
    expect(plan).toMatch(new RegExp(`Index Cond: .*\\(${column} = `));
  }
  expect(plans).toHaveLength(2);
});
