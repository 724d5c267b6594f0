/** What is parked: seen, put back once, or ended in the ledger; by nobody it does not belong to. Real NATS and PostgreSQL. */
import { systemClock } from '@postern/clock';
import { createClient, createServer, type GrpcClient, requireScope, signScope } from '@postern/grpc';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeBatch, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import {
  DropParkedRequest,
  GetParkedRequest,
  LedgerRequest,
  ListParkedRequest,
  type ListParkedResponse,
  QueueServiceClient,
  RetryParkedRequest,
  TraceRequest,
} from '@postern/proto/queue/v1/queue_service';
import { parkedSubject, spoolSubject } from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queueMetrics } from '../metrics.js';
import { createPark } from '../park.js';
import { dropParked } from '../parked/drop.js';
import { withQueue } from '../testing/ground.js';
import { answer, envelope, newQueueId } from '../testing/messages.js';
import { addQueueService } from './service.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms' } });
const key = Buffer.alloc(32, 7);
let client: GrpcClient<QueueServiceClient>;
let close: () => void;

const as = (tenant: string) => ({
  scope: signScope({ service: 'provisioning', tenant, roles: [], expiresAt: systemClock.now() + 60_000 }, key),
});
const call = {
  list: (tenant = '*', request: Partial<ListParkedRequest> = {}): Promise<ListParkedResponse> =>
    client.call(client.rpc.listParked, ListParkedRequest.fromPartial(request), as(tenant)),
  get: async (id: string, tenant = '*') =>
    (await client.call(client.rpc.getParked, GetParkedRequest.fromPartial({ id }), as(tenant))).message,
  retry: (id: string, tenant = '*') =>
    client.call(
      client.rpc.retryParked,
      RetryParkedRequest.fromPartial({ id, actor: 'op', reason: 'mended' }),
      as(tenant),
    ),
  drop: (id: string, bounce = false, tenant = '*') =>
    client.call(
      client.rpc.dropParked,
      DropParkedRequest.fromPartial({ id, bounce, actor: 'op', reason: 'of no use' }),
      as(tenant),
    ),
  ledger: () => client.call(client.rpc.ledger, LedgerRequest.fromPartial({ withOrphans: true }), as('*')),
};

beforeAll(async () => {
  const { ground } = queue;
  const telemetry = captureTelemetry('queue');
  const server = createServer({
    telemetry,
    interceptors: [requireScope({ key, clock: systemClock, services: ['provisioning'] })],
  });
  addQueueService(server, {
    clock: systemClock,
    database: ground.database,
    levels: ground.levels,
    scan: ground.scan,
    pools: { unserved: () => [] },
    log: ground.telemetry.log,
    operate: () => ground.engine.operateParts(),
    policy: () => ground.policy,
    parked: () => ground.engine.parkedParts(),
    onOperated: () => ground.engine.wakeDispatch(),
  });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  client = createClient(QueueServiceClient, { address: `127.0.0.1:${port}`, telemetry, deadlineMs: 10_000 });
  close = () => {
    client.close();
    server.stop();
  };
}, 60_000);
afterAll(() => close?.());

/** As `park.ts` of queue and delivery do; returns the id an operator sees. */
async function park(stream: string, data: Uint8Array, reason: string): Promise<string> {
  await queue.ground.publisher.publish(parkedSubject(stream), data, {
    msgId: newQueueId(),
    headers: { 'Postern-Reason': reason, 'Postern-Subject': 'work.default.1' },
  });
  const { messages } = await call.list();
  const found = messages.findLast((message) => message.reason === reason);
  if (found === undefined) throw new Error('it is not listed');
  return found.id;
}

/** One message accepted, and its item taken from WORK: its recipients have no carrier from now on. */
async function itemOf(...recipients: string[]): Promise<Item> {
  const message = envelope(recipients);
  await queue.ground.spool(message);
  const [item] = await queue.ground.until(
    () => queue.ground.work.filter(({ queueId }) => queueId === message.queueId),
    ({ length }) => length === 1,
  );
  if (item === undefined) throw new Error('no item');
  await queue.ground.until(
    async () => (await states(item.queueId)).length,
    (count) => count === recipients.length,
  );
  return item;
}

const states = async (queueId: string): Promise<string[]> => {
  const { rows } = await queue.ground.admin.query(
    'SELECT state FROM mail.recipients WHERE queue_id = $1 AND unit_kind IS NOT NULL ORDER BY recipient',
    [queueId],
  );
  return rows.map(({ state }) => state);
};
const atRest = () => queue.ground.until(call.ledger, ({ balanced, orphans }) => balanced && orphans.length === 0);
const encoded = (item: Item) => Item.encode(item).finish();

test('a parked item counts as held, is shown without its content, and goes back to WORK once', async () => {
  const { ground } = queue;
  const item = await itemOf('ann@acme.test');
  const id = await park('work', encoded(item), '5 redeliveries');
  expect((await atRest()).rows).toMatchObject([{ tenant: 'acme', open: { held: 1 }, difference: 0 }]);
  const shown = await call.get(id);
  expect(shown).toMatchObject({
    stream: 'work',
    reason: '5 redeliveries',
    queueId: item.queueId,
    reversePath: 'alice@example.test',
    attempt: 1,
    lane: 'main',
    recipients: [{ queueId: item.queueId, address: 'ann@acme.test', tenant: 'acme', state: 'open' }],
  });
  expect(JSON.stringify(shown)).not.toContain('how are you');
  const before = ground.work.length;
  // Two operators at once: one puts it back, the other finds nothing.
  const both = await Promise.allSettled([call.retry(id), call.retry(id)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await expect(call.retry(id)).rejects.toMatchObject({ id: 'not-found' });
  const [again] = await ground.until(
    () => ground.work.slice(before),
    ({ length }) => length === 1,
  );
  expect(again).toEqual(item);
  await ground.outcomes(answer(item, OutcomeKind.DELIVERED, { replyCode: 250 }));
  await ground.until(
    () => states(item.queueId),
    ([state]) => state === 'delivered',
  );
  expect((await atRest()).rows).toMatchObject([{ closed: { delivered: 1 }, difference: 0 }]);
  const { messages } = await client.call(client.rpc.trace, TraceRequest.fromPartial({ id: item.queueId }), as('acme'));
  expect(messages[0]?.events).toContainEqual(
    expect.objectContaining({
      event: 'queue.recipient.operated',
      detail: {
        operation: 'retry',
        actor: 'op',
        reason: 'mended',
        parked_from: 'work',
        parked_reason: '5 redeliveries',
      },
    }),
  );
  expect(ground.telemetry.events('queue.parked.retried')).toMatchObject([{ parked: id, actor: 'op', recipients: 1 }]);
});

test('an item whose attempt is recorded is not tried again; what is still open of it is', async () => {
  const { ground } = queue;
  const item = await itemOf('bob@acme.test', 'carol@acme.test');
  const id = await park('work', encoded(item), 'half done');
  const [bob] = item.recipients;
  if (bob === undefined) throw new Error('no recipient');
  await ground.outcomes(answer({ ...item, recipients: [bob] }, OutcomeKind.DELIVERED));
  await ground.until(
    () => states(item.queueId),
    ([state]) => state === 'delivered',
  );
  await atRest();
  const before = ground.work.length;
  expect(await call.retry(id)).toEqual({ stream: 'work', recipients: 1 });
  const [again] = await ground.until(
    () => ground.work.slice(before),
    ({ length }) => length === 1,
  );
  expect(again?.recipients.map(({ address }) => address)).toEqual(['carol@acme.test']);
  expect(again?.itemId).not.toBe(item.itemId);
  const copy = await park('work', encoded(item), 'a copy');
  if (again === undefined) throw new Error('no item');
  await ground.outcomes(answer(again, OutcomeKind.DELIVERED));
  await ground.until(
    () => states(item.queueId),
    (all) => all.every((state) => state === 'delivered'),
  );
  await atRest();
  await expect(call.retry(copy)).rejects.toMatchObject({ id: 'failed-precondition' });
  expect(await call.drop(copy)).toMatchObject({ recipients: 0 });
  await expect(call.get(copy)).rejects.toMatchObject({ id: 'not-found' });
});

test('an item of a row that waited: its attempt goes on, or its row goes with it', async () => {
  const { ground } = queue;
  const first = await itemOf('row@acme.test');
  await ground.bodies.put(first.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
  await ground.outcomes(answer(first, OutcomeKind.DEFERRED, { replyCode: 451, replyText: 'later' }));
  const row = async () =>
    (await ground.admin.query('SELECT state, attempt FROM mail.waiting WHERE queue_id = $1', [first.queueId])).rows;
  await ground.until(row, ([found]) => found?.state === 'deferred');
  await ground.admin.query('UPDATE mail.waiting SET due_at = 0 WHERE queue_id = $1', [first.queueId]);
  await ground.until(row, ([found]) => found?.state === 'dispatched');
  const second = ground.work.findLast(({ queueId }) => queueId === first.queueId);
  if (second === undefined) throw new Error('no item');
  await expect(call.retry(await park('work', encoded(first), 'the first attempt'))).rejects.toMatchObject({
    id: 'failed-precondition',
  });
  const id = await park('work', encoded(second), 'the second attempt');
  expect((await atRest()).rows[0]?.open).toEqual({ held: 1 });
  expect(await call.retry(id)).toEqual({ stream: 'work', recipients: 1 });
  await ground.until(() => ground.again.has(second.itemId), Boolean);
  expect(await call.drop(await park('work', encoded(second), 'once more'))).toMatchObject({ recipients: 1 });
  expect(await row()).toEqual([]);
  expect(await states(first.queueId)).toEqual(['deleted']);
  const { messages } = await call.list();
  for (const left of messages) await call.drop(left.id);
  await atRest();
});

test.each([
  { bounce: false, state: 'deleted' },
  { bounce: true, state: 'bounced' },
])('a dropped item ends as $state, with a report only when it bounces', async ({ bounce, state }) => {
  const { ground } = queue;
  const item = await itemOf(`${state}@acme.test`);
  const id = await park('work', encoded(item), `to be ${state}`);
  const before = await ground.counts();
  expect(await call.drop(id, bounce)).toEqual({ recipients: 1, unreported: {} });
  expect(await states(item.queueId)).toEqual([state]);
  const { messages } = await client.call(client.rpc.trace, TraceRequest.fromPartial({ id: item.queueId }), as('acme'));
  expect(messages[0]?.recipients).toMatchObject([{ state, reply: expect.stringContaining('of no use') }]);
  if (bounce)
    await ground.until(
      () => ground.counts(),
      (counts) => (counts.generated ?? 0) === (before.generated ?? 0) + 1,
    );
  const dsn = ground.work.find(({ recipients }) => recipients[0]?.address === 'alice@example.test');
  expect(dsn !== undefined).toBe(bounce);
  if (dsn !== undefined) await ground.outcomes(answer(dsn, OutcomeKind.DELIVERED));
  await atRest();
  await ground.until(
    () => ground.bodies.stat(item.queueId),
    (facts) => facts === undefined,
  );
});

test('a dropped item whose sender is nobody, or not known to be the sender, says that no report goes out', async () => {
  const orphan = await itemOf('nobody-told@acme.test');
  const unsure = await itemOf('unsure@acme.test');
  for (const [item, why] of [
    [{ ...orphan, reversePath: '' }, 'null-reverse-path'],
    [{ ...unsure, senderAuthenticated: false }, 'unauthenticated'],
  ] as const) {
    const id = await park('work', encoded(item), `told to nobody: ${why}`);
    expect(await call.drop(id, true)).toEqual({ recipients: 1, unreported: { [why]: 1 } });
  }
  await atRest();
});

test('a parked envelope goes back to SPOOL, or is recorded as accepted and deleted', async () => {
  const { ground } = queue;
  const tried = envelope(['dora@acme.test']);
  const id = await park('spool', Envelope.encode(tried).finish(), 'delivered 6 times');
  expect(await call.get(id)).toMatchObject({ stream: 'spool', recipients: [{ state: 'unknown' }] });
  await atRest();
  expect(await call.retry(id)).toEqual({ stream: 'spool', recipients: 1 });
  const [item] = await ground.until(
    () => ground.work.filter(({ queueId }) => queueId === tried.queueId),
    ({ length }) => length === 1,
  );
  if (item === undefined) throw new Error('no item');
  await ground.until(
    () => states(tried.queueId),
    ({ length }) => length === 1,
  );
  const copy = await park('spool', Envelope.encode(tried).finish(), 'a copy of what was placed');
  await expect(call.retry(copy)).rejects.toMatchObject({ id: 'failed-precondition' });
  expect(await call.drop(copy)).toMatchObject({ recipients: 0 });
  expect(await states(tried.queueId)).toEqual(['open']);
  await ground.outcomes(answer(item, OutcomeKind.DELIVERED));
  await atRest();

  const ended = envelope(['ed@acme.test', 'eve@beta.test']);
  const other = await park('spool', Envelope.encode(ended).finish(), 'never again');
  expect(await call.drop(other)).toMatchObject({ recipients: 2 });
  expect(await states(ended.queueId)).toEqual(['deleted', 'deleted']);
  await atRest();
});

test('a forged item is shown and goes, and the ledger does not count what was never created', async () => {
  const { ground } = queue;
  const forged = { ...(await itemOf('opal@acme.test')), queueId: newQueueId(), itemId: 'forged:1:1' };
  const id = await park('work', encoded(forged), 'forged');
  const real = ground.work.at(-1);
  if (real === undefined) throw new Error('no item');
  await ground.outcomes(answer(real, OutcomeKind.DELIVERED));
  await atRest();
  // Its creation could still be on its way.
  await expect(call.drop(id)).rejects.toMatchObject({ id: 'failed-precondition' });
  const order = { id, bounce: false, actor: 'op', reason: 'forged' };
  const later = systemClock.now() + 660_000;
  expect(await dropParked(ground.engine.parkedParts(), '*', order, later)).toMatchObject({ recipients: 0 });
  await atRest();
});

test('what cannot be read is really parked, shown as such to operators, refused to go back, and dropped', async () => {
  const { ground } = queue;
  await ground.publisher.publish(spoolSubject(newQueueId()), Buffer.from('\xff\xff no envelope', 'latin1'), {
    msgId: newQueueId(),
  });
  const impossible = Outcome.fromPartial({ kind: OutcomeKind.DEFERRED, queueId: newQueueId(), tenant: 'acme' });
  impossible.recipients = [RecipientResult.fromPartial({ address: 'lost@acme.test' })];
  await ground.outcomes(impossible);
  const { messages } = await ground.until(call.list, (listed) => listed.messages.length === 2);
  expect(messages.map(({ stream }) => stream).sort()).toEqual(['outcomes', 'spool']);
  expect((await call.list('acme')).messages.map(({ stream }) => stream)).toEqual(['outcomes']);
  const traced = await ground.until(
    async () =>
      (
        await ground.admin.query('SELECT event, recipient FROM mail.trace_events WHERE queue_id = $1', [
          impossible.queueId,
        ])
      ).rows,
    ({ length }) => length === 1,
  );
  expect(traced).toEqual([{ event: 'queue.message.parked', recipient: 'lost@acme.test' }]);
  for (const { id, stream, unreadable, reason, parkedAtMs } of messages) {
    expect(reason).not.toBe('');
    expect(Math.abs(systemClock.now() - parkedAtMs)).toBeLessThan(60_000);
    if (stream === 'spool') {
      expect(unreadable).toContain('not an envelope');
      await expect(call.retry(id)).rejects.toMatchObject({ id: 'failed-precondition' });
    }
    await expect(call.drop(id, false, 'beta')).rejects.toMatchObject({ id: 'not-found' });
    expect(await call.drop(id)).toMatchObject({ recipients: 0 });
  }
  expect((await call.list()).messages).toEqual([]);
  expect(ground.telemetry.events('queue.parked.dropped').length).toBeGreaterThanOrEqual(2);
});

test('mail that was taken and is parked is found by its queue id', async () => {
  const { ground } = queue;
  const mail = envelope(['ned@acme.test']);
  const telemetry = captureTelemetry('queue');
  const parkIt = createPark('spool', ground.publisher, systemClock, telemetry.log, queueMetrics(telemetry.metrics));
  const unused = () => undefined;
  let acknowledged = 0;
  await parkIt(
    {
      ...{ subject: 'spool.1', data: Envelope.encode(mail).finish(), sequence: 1_000_000, deliveryCount: 6 },
      ...{ pending: 0, storedAtMs: 0, header: () => '', nak: unused, working: unused },
      ack: () => {
        acknowledged++;
      },
      ackConfirmed: () => Promise.resolve(true),
    },
    'delivered 6 times',
  );
  expect(acknowledged).toBe(1);
  const { messages } = await ground.until(
    () => client.call(client.rpc.trace, TraceRequest.fromPartial({ id: mail.queueId }), as('acme')),
    (found) => found.messages.length === 1,
  );
  expect(messages[0]?.events).toMatchObject([
    { event: 'queue.message.parked', recipient: 'ned@acme.test', detail: { reason: 'delivered 6 times' } },
  ]);
  for (const { id } of (await call.list()).messages) await call.drop(id);
  await atRest();
});

test('an outcome that could not be recorded is tried again, or its recipients end', async () => {
  const { ground } = queue;
  const [first, second] = [await itemOf('fay@acme.test'), await itemOf('gus@acme.test')];
  const batch = (item: Item) => OutcomeBatch.encode({ outcomes: [answer(item, OutcomeKind.DELIVERED)] }).finish();
  expect(await call.retry(await park('outcomes', batch(first), 'to be recorded'))).toMatchObject({
    stream: 'outcomes',
  });
  await ground.until(
    () => states(first.queueId),
    ([state]) => state === 'delivered',
  );
  expect(await call.drop(await park('outcomes', batch(second), 'not to be'))).toMatchObject({ recipients: 1 });
  expect(await states(second.queueId)).toEqual(['deleted']);
  await atRest();
});

test('a tenant sees and changes what is its own alone, a page at a time', async () => {
  const own = [await itemOf('hal@beta.test'), await itemOf('ida@beta.test')];
  const foreign = await itemOf('jon@acme.test');
  const ids = [];
  for (const item of own) ids.push(await park('work', encoded(item), `own ${item.queueId}`));
  const other = await park('work', encoded(foreign), 'foreign');
  const mixed = envelope(['kim@acme.test', 'lou@beta.test']);
  const shared = await park('spool', Envelope.encode(mixed).finish(), 'shared');
  const first = await call.list('beta', { pageSize: 1 });
  const second = await call.list('beta', { pageSize: 1, pageToken: first.nextPageToken });
  expect([...first.messages, ...second.messages].map(({ id }) => id)).toEqual(ids);
  for (const id of [other, shared]) {
    await expect(call.get(id, 'beta')).rejects.toMatchObject({ id: 'not-found' });
    await expect(call.retry(id, 'beta')).rejects.toMatchObject({ id: 'not-found' });
  }
  await expect(call.get('17')).rejects.toMatchObject({ id: 'invalid-argument' });
  await expect(
    client.call(client.rpc.dropParked, DropParkedRequest.fromPartial({ id: other }), as('*')),
  ).rejects.toMatchObject({ id: 'invalid-argument' });
  for (const id of ids) expect(await call.drop(id, false, 'beta')).toMatchObject({ recipients: 1 });
  for (const id of [other, shared]) await call.drop(id);
  await atRest();
});
