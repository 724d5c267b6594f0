/** Message trace by the client's address, over a real database: what is found, by whom it is seen, and by which index. */
import { systemClock } from '@postern/clock';
import { Disposition, Origin } from '@postern/proto/mail/v1/envelope';
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

async function stored(clientAddress: string, recipients: readonly string[], changes: object = {}) {
  const origin = Origin.fromPartial({ clientAddress });
  const mail = envelope(
    recipients.map((address) => forwardPath(address, { disposition: Disposition.HOLD })),
    { origin, ...changes },
  );
  await queue.ground.spool(mail);
  await queue.ground.until(
    () => ids('*', { id: mail.queueId }),
    (found) => found.length > 0,
  );
  return mail;
}

/** Steps of the edge, stored. */
async function told(...steps: readonly Partial<TraceEvent>[]): Promise<void> {
  const { ground } = queue;
  const events = steps.map((step) => TraceEvent.fromPartial({ atMs: systemClock.now(), ...step }));
  await ground.publisher.publish('trace.edge', TraceBatch.encode({ events }).finish(), { msgId: newQueueId() });
  for (const { sessionId, event } of events)
    await ground.until(
      async () =>
        (
          await ground.admin.query('SELECT 1 FROM mail.trace_events WHERE session_id = $1 AND event = $2', [
            sessionId,
            event,
          ])
        ).rows,
      (rows) => rows.length > 0,
    );
}

test('a message is found by its client, by the tenants it concerns, and with the other addresses together', async () => {
  const client = '192.0.2.1';
  const mail = await stored(client, ['one@acme.test', 'two@beta.test']);
  const other = await stored(client, ['one@acme.test'], { reversePath: '' });
  const both = [other.queueId, mail.queueId];
  expect(await ids('acme', { clientAddress: client })).toEqual(both);
  expect(await ids('*', { clientAddress: client })).toEqual(both);
  expect(await ids('beta', { clientAddress: client })).toEqual([mail.queueId]);
  expect((await traced('beta', { clientAddress: client }))[0]?.recipients).toMatchObject([
    { address: 'two@beta.test' },
  ]);
  expect(await ids('gamma', { clientAddress: client })).toEqual([]);
  expect(await ids('*', { clientAddress: '192.0.2.10' })).toEqual([]);
  for (const [asked, found] of [
    [{ recipient: 'one@acme.test' }, both],
    [{ recipient: 'two@beta.test' }, [mail.queueId]],
    [{ recipient: 'three@beta.test' }, []],
    [{ reversePath: mail.reversePath }, [mail.queueId]],
    [{ reversePath: '<>' }, [other.queueId]],
    [{ reversePath: '<>', recipient: 'two@beta.test' }, []],
    [{ reversePath: 'nobody@example.test' }, []],
    [{ toMs: mail.acceptedAtMs - 1 }, []],
  ] as const) {
    expect(await ids('*', { clientAddress: client, ...asked })).toEqual(found);
    expect(await ids('*', { clientAddress: '192.0.2.10', ...asked })).toEqual([]);
  }
});

test('what was refused is found by its client, by whom it concerns', async () => {
  const [client, stranger] = ['2001:db8::1', '2001:db8::2'];
  const [session, login, large, foreign] = [newQueueId(), newQueueId(), newQueueId(), newQueueId()];
  const atMs = systemClock.now();
  const step = { tenant: 'acme', detail: { client } };
  const recipient = 'ghost@acme.test';
  const reversePath = 'a@far.test';
  await told(
    { ...step, atMs, sessionId: session, event: 'edge.recipient.rejected', recipient, reversePath },
    {
      ...{ ...step, atMs: atMs + 1, sessionId: login, event: 'edge.login.refused' },
      detail: { client, user: 'eve@acme.test' },
    },
    { ...step, atMs: atMs + 2, sessionId: large, queueId: newQueueId(), event: 'edge.message.rejected', reversePath },
    { ...step, atMs, sessionId: foreign, event: 'edge.recipient.rejected', detail: { client: stranger } },
    { ...step, atMs, sessionId: newQueueId(), event: 'delivery.attempt.refused' },
  );
  expect(await ids('acme', { clientAddress: client })).toEqual([large, login, session]);
  expect(await ids('*', { clientAddress: client, limit: 2 })).toEqual([large, login]);
  expect(await ids('beta', { clientAddress: client })).toEqual([]);
  expect(await ids('*', { clientAddress: stranger })).toEqual([foreign]);
  expect(await ids('*', { clientAddress: client, recipient })).toEqual([session]);
  expect(await ids('*', { clientAddress: client, reversePath })).toEqual([large, session]);
  expect(await ids('*', { clientAddress: client, reversePath: 'eve@acme.test' })).toEqual([login]);
  expect(await ids('*', { clientAddress: stranger, reversePath: 'eve@acme.test' })).toEqual([]);
  expect(await ids('*', { clientAddress: client, recipient, reversePath: 'b@far.test' })).toEqual([]);
});

test('a login is a session of its own only where no message came of it', async () => {
  const client = '192.0.2.7';
  const first = await stored(client, ['one@acme.test']);
  const last = await stored(client, ['one@acme.test'], { acceptedAtMs: first.acceptedAtMs + 10_000 });
  const idle = newQueueId();
  const step = { tenant: 'acme', detail: { client }, event: 'edge.login.succeeded' };
  await told(
    { ...step, sessionId: first.sessionId, atMs: last.acceptedAtMs + 1_000 },
    { ...step, sessionId: idle, atMs: first.acceptedAtMs - 1_000 },
  );
  expect(await ids('acme', { clientAddress: client })).toEqual([last.queueId, first.queueId, idle]);
  expect(await ids('acme', { clientAddress: client, limit: 1 })).toEqual([last.queueId]);
});

test.each<[string, Partial<TraceRequest>]>([
  ['a client', {}],
  ['a client and a sender', { reversePath: 'alice@example.test' }],
])('%s: an index serves it, row-level security or not', async (_name, more) => {
  const request = TraceRequest.fromPartial({ clientAddress: '192.0.2.1', ...more });
  const plans: string[] = [];
  await queue.ground.database.scoped('acme', async (transaction) => {
    await transaction.script('SET LOCAL enable_seqscan = off');
    await findMessages(explained(transaction, plans), request, 20);
    await findRefusals(explained(transaction, plans), request, 20, new Set());
  });
  const [messages = '', refusals = ''] = plans;
  expect(messages).toMatch(/Index Cond: .*client_address = |Index Cond: .*reverse_path = /);
  expect(refusals.match(/Index Cond: .*client_address = /g)?.length).toBeGreaterThanOrEqual(2);
});
