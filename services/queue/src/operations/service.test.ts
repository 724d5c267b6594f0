import { systemClock } from '@postern/clock';
import { createClient, createServer, type GrpcClient, requireScope, signScope } from '@postern/grpc';
import { Disposition, Notify } from '@postern/proto/mail/v1/envelope';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { TraceBatch, TraceEvent } from '@postern/proto/mail/v1/trace';
import {
  DeliveryScene,
  LedgerRequest,
  ListItemsRequest,
  OperateRequest,
  Operation,
  QueueServiceClient,
  Selection,
  SimulateDeliveryRequest,
  SummaryRequest,
  TraceRequest,
} from '@postern/proto/queue/v1/queue_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compilePolicy } from '../policy-in-use.js';
import { withQueue } from '../testing/ground.js';
import { answer, envelope, forwardPath, newQueueId, testSnapshot } from '../testing/messages.js';
import { addQueueService } from './service.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms' } });
const key = Buffer.alloc(32, 7);
const deliveryRule = (id: string, scope: { tenant: string }, document: string) => ({
  ...{ id, version: 1, scope: scope.tenant === '' ? 'server' : 'tenant', target: '', ...scope },
  document,
});
const ruled = compilePolicy(
  testSnapshot({
    rules: [
      deliveryRule(
        'slow',
        { tenant: '' },
        '{"event":"relay","when":"recipient.user == \\"slow\\"","then":[{"retrySchedule":{"delays":[5,50],"giveUpAfter":60}}]}',
      ),
      deliveryRule(
        'no-list',
        { tenant: 'acme' },
        '{"event":"relay","when":"message.tags.exists(t, t == \\"bulk\\")","then":[{"reject":{"text":"no lists"}}]}',
      ),
      deliveryRule(
        'full',
        { tenant: 'acme' },
        '{"event":"temporary-failure","when":"failure.code == 452 && delivery.attempt > 2","then":[{"reject":{"text":"mailbox is full"}}]}',
      ),
      deliveryRule(
        'words',
        { tenant: 'beta' },
        '{"event":"delivery-failure","then":[{"ndrText":{"text":"Ask the help desk"}}]}',
      ),
    ],
  }),
);
let client: GrpcClient<QueueServiceClient>;
let close: () => void;

const scopeOf = (tenant: string) =>
  signScope({ service: 'provisioning', tenant, roles: [], expiresAt: systemClock.now() + 60_000 }, key);
const as = (tenant: string) => ({ scope: scopeOf(tenant) });

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
    pools: { unserved: () => [{ pool: 'blue', messages: 3, isServed: false }] },
    log: ground.telemetry.log,
    operate: () => ground.engine.operateParts(),
    policy: () => ruled,
    parked: () => ground.engine.parkedParts(),
    onOperated: () => ground.engine.wakeDispatch(),
  });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  client = createClient(QueueServiceClient, { address: `127.0.0.1:${port}`, telemetry, deadlineMs: 10_000 });
  close = () => {
    client.close();
    server.stop();
  };
  for (const domain of ['acme', 'beta']) {
    const found = (outcome: string, recipient: string) => ({
      ...{ check: 'recipients', outcome, evidence: '' },
      ...{
        recipient: `${recipient}@${domain}.test`,
        tenant: domain,
        rule: '',
        action: '',
        durationUs: 0,
        evidenceForOthers: '',
      },
    });
    const held = envelope(
      [
        forwardPath(`held@${domain}.test`, { disposition: Disposition.HOLD }),
        forwardPath(`spam@${domain}.test`, { disposition: Disposition.QUARANTINE }),
      ],
      { findings: [found('exists', 'held'), found('tagged', 'spam'), found('exists', 'held')] },
    );
    await ground.spool(held);
  }
  await ground.until(
    async () => (await ground.admin.query('SELECT count(*)::int AS n FROM mail.waiting')).rows[0]?.n,
    (count) => count === 4,
  );
}, 60_000);
afterAll(() => close?.());

const list = (tenant: string, request: Partial<ListItemsRequest> = {}) =>
  client.call(client.rpc.listItems, { ...ListItemsRequest.fromPartial({}), ...request }, as(tenant));

test('a call without a scope, or for a tenant outside it, is refused', async () => {
  await expect(client.call(client.rpc.summary, SummaryRequest.fromPartial({}))).rejects.toMatchObject({
    id: 'unauthenticated',
  });
  await expect(
    client.call(client.rpc.summary, SummaryRequest.fromPartial({ tenant: 'beta' }), as('acme')),
  ).rejects.toMatchObject({
    id: 'permission-denied',
  });
});

test('a tenant sees and changes its own rows only, also when it selects all', async () => {
  expect((await list('acme')).items.map(({ recipient }) => recipient)).toEqual(['held@acme.test', 'spam@acme.test']);
  expect((await list('*')).items).toHaveLength(4);
  const summary = await client.call(client.rpc.summary, SummaryRequest.fromPartial({}), as('acme'));
  expect(summary.lanes).toMatchObject([{ tenant: 'acme', lane: 'main', held: 1, quarantined: 1 }]);
  expect(summary.unservedPools).toEqual([]);
  const all = await client.call(client.rpc.summary, SummaryRequest.fromPartial({}), as('*'));
  expect(all.unservedPools).toEqual([{ pool: 'blue', messages: 3 }]);
  const deleted = await client.call(
    client.rpc.operate,
    OperateRequest.fromPartial({
      operation: Operation.DELETE,
      selection: { all: true },
      actor: 'bob',
      reason: 'cleaning',
    }),
    as('acme'),
  );
  expect(deleted.changed).toBe(2);
  expect((await list('*')).items.map(({ tenant }) => tenant)).toEqual(['beta', 'beta']);
  const ledger = await client.call(client.rpc.ledger, LedgerRequest.fromPartial({}), as('acme'));
  expect(ledger.rows).toMatchObject([
    { tenant: 'acme', created: { accepted: 2 }, closed: { deleted: 2 }, difference: 0 },
  ]);
});

test('pages by key, and refuses an operation that selects nothing', async () => {
  const first = await list('beta', { pageSize: 1 });
  const second = await list('beta', { pageSize: 1, pageToken: first.nextPageToken });
  expect([...first.items, ...second.items].map(({ recipient }) => recipient)).toEqual([
    'held@beta.test',
    'spam@beta.test',
  ]);
  await expect(
    client.call(client.rpc.operate, OperateRequest.fromPartial({ operation: Operation.DELETE }), as('beta')),
  ).rejects.toMatchObject({ id: 'invalid-argument' });
  await expect(list('beta', { selection: Selection.fromPartial({ state: 'nonsense' }) })).rejects.toMatchObject({
    id: 'invalid-argument',
  });
  await expect(list('beta', { selection: Selection.fromPartial({ domain: 'a\0b' }) })).rejects.toMatchObject({
    id: 'invalid-argument',
  });
});

test('released mail goes out, is traced step by step, and the ledger balances at rest', async () => {
  const { ground } = queue;
  const released = await client.call(
    client.rpc.operate,
    OperateRequest.fromPartial({
      operation: Operation.RELEASE,
      selection: { domain: 'beta.test' },
      actor: 'op',
      reason: 'fine',
    }),
    as('*'),
  );
  expect(released.changed).toBe(2);
  const items = await ground.until(
    () => ground.work.filter(({ tenant }) => tenant === 'beta'),
    (found) => found.flatMap(({ recipients }) => recipients).length === 2,
  );
  const [item] = items;
  if (item === undefined) throw new Error('no item');
  expect(items.every(({ attempt }) => attempt === 1)).toBe(true);
  for (const one of items)
    await ground.outcomes(answer(one, OutcomeKind.DELIVERED, { replyCode: 250, remoteHost: 'mx.beta.test' }));
  const traced = await ground.until(
    () => client.call(client.rpc.trace, TraceRequest.fromPartial({ id: item.queueId }), as('beta')),
    ({ messages }) => messages[0]?.recipients.every(({ state }) => state === 'delivered') === true,
  );
  expect(traced.messages[0]?.events.map(({ event, recipient }) => [event, recipient])).toEqual(
    expect.arrayContaining([
      ['queue.message.accepted', ''],
      ['queue.recipient.held', 'held@beta.test'],
      ['queue.recipient.operated', 'held@beta.test'],
      ['queue.recipient.delivered', 'held@beta.test'],
    ]),
  );
  const accepted = traced.messages[0]?.events.find(({ event }) => event === 'queue.message.accepted');
  expect(accepted?.detail.recipients).toBe('exists, tagged');
  const hidden = await client.call(client.rpc.trace, TraceRequest.fromPartial({ id: item.queueId }), as('acme'));
  expect(hidden.messages).toEqual([]);
  const byRecipient = await client.call(
    client.rpc.trace,
    TraceRequest.fromPartial({ recipient: 'held@beta.test' }),
    as('beta'),
  );
  expect(byRecipient.messages.map(({ queueId }) => queueId)).toEqual([item.queueId]);
  await ground.until(
    () => client.call(client.rpc.ledger, LedgerRequest.fromPartial({ withOrphans: true }), as('*')),
    ({ balanced, orphans }) => balanced && orphans.length === 0,
  );
  await ground.until(
    () => ground.bodies.stat(item.queueId),
    (facts) => facts === undefined,
  );
});

test('of a message for two tenants each sees what its own rules and lists and those of the operator said', async () => {
  const { ground } = queue;
  const found = (check: string, evidence: string, recipient: string, tenant: string) => ({
    ...{ check, outcome: 'matched', evidence, recipient, tenant, durationUs: 0, evidenceForOthers: '' },
    ...(check === 'rule' ? { rule: 'r@1', action: 'hold' } : { rule: '', action: '' }),
  });
  const mail = envelope(
    [
      forwardPath('one@acme.test', { disposition: Disposition.HOLD }),
      forwardPath('two@beta.test', { disposition: Disposition.HOLD }),
    ],
    {
      findings: [
        found('rule', 'of=all', '', 'system'),
        found('rule', 'of=acme', 'one@acme.test', 'acme'),
        found('rule', 'name=X-Secret', 'two@beta.test', 'beta'),
        found('lists_user', 'entry=friend.test', 'two@beta.test', 'beta'),
      ],
    },
  );
  await ground.spool(mail);
  const seen = async (who: string) => {
    const { messages } = await ground.until(
      () => client.call(client.rpc.trace, TraceRequest.fromPartial({ id: mail.queueId }), as(who)),
      ({ messages: some }) => some.length === 1,
    );
    const { rule, lists_user } = messages[0]?.events.find(({ event }) => event.endsWith('accepted'))?.detail ?? {};
    expect(messages[0]?.recipients.map(({ reply }) => reply)).toContain('held by rule r@1');
    expect(messages[0]?.findings).toHaveLength(who === '*' ? 4 : who === 'acme' ? 2 : 3);
    return [rule, lists_user];
  };
  const listed = 'matched (entry=friend.test)';
  expect(await seen('acme')).toEqual(['matched (r@1 hold of=all), matched (r@1 hold of=acme)', undefined]);
  expect(await seen('beta')).toEqual(['matched (r@1 hold of=all), matched (r@1 hold name=X-Secret)', listed]);
  expect(await seen('*')).toEqual([
    'matched (r@1 hold of=all), matched (r@1 hold of=acme), matched (r@1 hold name=X-Secret)',
    listed,
  ]);
});

test('who submitted mail to another tenant sees that it was taken, and nothing of what became of it', async () => {
  const { ground } = queue;
  const held = (address: string) => forwardPath(address, { disposition: Disposition.HOLD });
  const submitted = { submittingTenant: 'demo', reversePath: 'alice@demo.test' };
  const mail = envelope([held('secret@acme.test')], submitted);
  const mixed = envelope([held('bob@demo.test'), held('secret@acme.test')], submitted);
  const inbound = envelope([held('secret@acme.test')]);
  for (const one of [mail, mixed, inbound]) await ground.spool(one);
  const step = { event: 'edge.message.accepted', tenant: 'demo', reply: '250 2.0.0 Ok' };
  const steps = [mail, mixed].map(({ queueId, sessionId }) => ({
    ...step,
    queueId,
    sessionId,
    atMs: systemClock.now(),
  }));
  for (const one of steps) await told(one);
  for (const { queueId } of [mail, mixed, inbound])
    await ground.until(
      () => traced('acme', { id: queueId }),
      (found) => found[0]?.recipients.length === 1,
    );
  for (const asked of [{ id: mail.queueId }, { id: mail.sessionId }]) {
    const [found, ...more] = await traced('demo', asked);
    expect(more).toEqual([]);
    expect(found).toMatchObject({ queueId: mail.queueId, recipients: [], findings: [], recipientsElsewhere: true });
    expect(found?.events.map(({ event }) => event)).toEqual(['edge.message.accepted', 'queue.message.accepted']);
    expect(JSON.stringify(found)).not.toContain('acme');
  }
  const both = await traced('demo', { reversePath: 'alice@demo.test' });
  expect(both.map(({ queueId }) => queueId).sort()).toEqual([mail.queueId, mixed.queueId].sort());
  expect(await traced('demo', { id: mixed.queueId })).toMatchObject([
    { recipients: [{ address: 'bob@demo.test' }], recipientsElsewhere: true },
  ]);
  // The tenant of a recipient does not hear who else has a copy, and the operator sees them all.
  for (const who of ['acme', '*'])
    expect(await traced(who, { id: mixed.queueId })).toMatchObject([{ recipientsElsewhere: false }]);
  expect(await traced('demo', { id: inbound.queueId })).toEqual([]);
  expect(await traced('beta', { id: mail.queueId })).toEqual([]);
  await client.call(
    client.rpc.operate,
    OperateRequest.fromPartial({ operation: Operation.DELETE, selection: { recipient: 'secret@acme.test' } }),
    as('acme'),
  );
  expect(await traced('demo', { id: mail.queueId })).toMatchObject([{ recipients: [], recipientsElsewhere: true }]);
});

test('who submitted mail to another tenant sees that its sender was sent a report', async () => {
  const { ground } = queue;
  const to = forwardPath('full@acme.test', { disposition: Disposition.HOLD });
  const mail = envelope([to], { submittingTenant: 'demo', reversePath: 'alice@demo.test' });
  await ground.spool(mail);
  const queueIds = [mail.queueId];
  await ground.until(
    () => list('acme', { selection: Selection.fromPartial({ queueIds }) }),
    ({ items }) => items.length === 1,
  );
  const order = OperateRequest.fromPartial({ operation: Operation.BOUNCE, selection: { queueIds }, reason: 'secret' });
  expect((await client.call(client.rpc.operate, order, as('acme'))).changed).toBe(1);
  const isReport = ({ event }: TraceEvent): boolean => event === 'queue.notice.sent';
  const [found] = await ground.until(
    () => traced('demo', { id: mail.queueId }),
    ([message]) => message?.events.some(isReport) === true,
  );
  const told = { tenant: 'demo', detail: { kind: 'failure' }, recipient: '', reply: '' };
  expect(found?.events.filter(isReport)).toMatchObject([told]);
  expect(JSON.stringify(found)).not.toMatch(/acme|secret/);
  expect((await traced('acme', { id: mail.queueId }))[0]?.events.filter(isReport)).toHaveLength(1);
});

test('a connection bound to no tenant sees no mail that nobody here submitted', async () => {
  const { admin } = queue.ground;
  const seenBy = async (tenant: string): Promise<number> => {
    await admin.query('BEGIN');
    await admin.query('SET LOCAL ROLE queue');
    await admin.query("SELECT set_config('app.tenant', $1, true)", [tenant]);
    const { rows } = await admin.query("SELECT queue_id FROM mail.messages WHERE detail ->> 'submittingTenant' = ''");
    await admin.query('ROLLBACK');
    return rows.length;
  };
  expect(await seenBy('*')).toBeGreaterThan(0);
  expect(await seenBy('')).toBe(0);
});

test('an operation that does not fit what its queue ids name says in which state that is', async () => {
  const { ground } = queue;
  const mail = envelope([
    forwardPath('kept@acme.test', { disposition: Disposition.HOLD }),
    forwardPath('spam@acme.test', { disposition: Disposition.QUARANTINE }),
  ]);
  await ground.spool(mail);
  const queueIds = [mail.queueId];
  await ground.until(
    () => list('acme', { selection: Selection.fromPartial({ queueIds }) }),
    ({ items }) => items.length === 2,
  );
  const done = (operation: Operation, selection: Partial<Selection>, who = 'acme') =>
    client.call(client.rpc.operate, OperateRequest.fromPartial({ operation, selection }), as(who));
  const kept = { held: 1, quarantined: 1 };
  expect(await done(Operation.RETRY, { queueIds })).toMatchObject({ changed: 0, unfit: kept });
  expect(await done(Operation.HOLD, { queueIds })).toMatchObject({ changed: 0, unfit: kept });
  expect(await done(Operation.RETRY, { queueIds }, 'beta')).toMatchObject({ changed: 0, unfit: {} });
  // What a selection without ids means is what fits.
  expect(await done(Operation.RETRY, { domain: 'acme.test' })).toMatchObject({ changed: 0, unfit: {} });
  await ground.admin.query('UPDATE mail.waiting SET out = true WHERE queue_id = $1 AND state = $2', [
    mail.queueId,
    'held',
  ]);
  expect(await done(Operation.DELETE, { queueIds })).toMatchObject({ changed: 1, unfit: { dispatched: 1 } });
  await ground.admin.query('UPDATE mail.waiting SET out = false WHERE queue_id = $1', [mail.queueId]);
  expect(await done(Operation.DELETE, { queueIds })).toMatchObject({ changed: 1, unfit: {} });
});

test('what waits is found by its addresses however they are written', async () => {
  const { ground } = queue;
  const mail = envelope([forwardPath('CAPS@Acme.test', { tenant: 'acme', disposition: Disposition.HOLD })], {
    reversePath: 'Boss@Far.test',
  });
  await ground.spool(mail);
  await ground.until(
    () => list('acme', { selection: Selection.fromPartial({ queueIds: [mail.queueId] }) }),
    ({ items }) => items.length === 1,
  );
  for (const asked of [
    { recipient: 'caps@acme.test' },
    { recipient: 'Caps@ACME.test', reversePath: 'boss@far.test' },
    { reversePath: 'BOSS@far.test' },
  ]) {
    const { items } = await list('acme', { selection: Selection.fromPartial(asked) });
    expect(items.map(({ queueId }) => queueId)).toEqual([mail.queueId]);
  }
  const selection = { recipient: 'caps@acme.test' };
  const order = OperateRequest.fromPartial({ operation: Operation.DELETE, selection });
  expect((await client.call(client.rpc.operate, order, as('beta'))).changed).toBe(0);
  expect((await client.call(client.rpc.operate, order, as('acme'))).changed).toBe(1);
});

test('a refused session is found by its id and by the recipient', async () => {
  const { ground } = queue;
  const sessionId = newQueueId();
  const event = {
    atMs: systemClock.now(),
    event: 'edge.recipient.rejected',
    sessionId,
    tenant: 'acme',
    recipient: 'ghost@acme.test',
    reply: `550 5.1.1 no such user (${sessionId})`,
    detail: { client_address: '192.0.2.1' },
  };
  const batch = TraceBatch.encode(TraceBatch.fromPartial({ events: [event, event] })).finish();
  await ground.publisher.publish('trace.edge', batch, { msgId: newQueueId() });
  const byId = await ground.until(
    () => client.call(client.rpc.trace, TraceRequest.fromPartial({ id: sessionId }), as('acme')),
    ({ messages }) => messages.length === 1,
  );
  expect(byId.messages[0]?.events).toMatchObject([{ event: 'edge.recipient.rejected', reply: event.reply }]);
  const request = TraceRequest.fromPartial({ recipient: 'ghost@acme.test' });
  expect((await client.call(client.rpc.trace, request, as('acme'))).messages).toHaveLength(1);
  expect((await client.call(client.rpc.trace, request, as('beta'))).messages).toHaveLength(0);
});

/** A step of the edge, stored; in the order they are given. */
async function told(...events: readonly Partial<TraceEvent>[]): Promise<void> {
  const { ground } = queue;
  const batch = TraceBatch.encode(TraceBatch.fromPartial({ events: [...events] })).finish();
  await ground.publisher.publish('trace.edge', batch, { msgId: newQueueId() });
  const last = events.at(-1);
  await ground.until(
    async () =>
      (
        await ground.admin.query('SELECT 1 FROM mail.trace_events WHERE session_id = $1 AND event = $2', [
          last?.sessionId,
          last?.event,
        ])
      ).rows,
    (rows) => rows.length > 0,
  );
}

const traced = async (who: string, request: Partial<TraceRequest>) =>
  (await client.call(client.rpc.trace, { ...TraceRequest.fromPartial({}), ...request }, as(who))).messages;

test('a session that tried several senders is of the one asked for', async () => {
  const sessionId = newQueueId();
  const step = { atMs: systemClock.now(), event: 'edge.recipient.rejected', sessionId, tenant: 'acme' };
  const refused = { ...step, recipient: 'ghost@acme.test', reply: '550 5.1.1 no such user' };
  const [first, second] = ['first@senders.test', 'second@senders.test'];
  await told(
    TraceEvent.fromPartial({ ...refused, reversePath: first }),
    TraceEvent.fromPartial({ ...refused, reversePath: second, atMs: step.atMs + 1 }),
  );
  for (const [request, sender] of [
    [{ reversePath: first }, first],
    [{ reversePath: second }, second],
    [{ id: sessionId }, first],
  ] as const)
    expect(await traced('acme', request)).toMatchObject([
      { sessionId, reversePath: sender, events: [{ reversePath: first }, { reversePath: second }] },
    ]);
});

test('a message refused after its data is found by its addresses and ids, by whom it concerns', async () => {
  const [sessionId, queueId] = [newQueueId(), newQueueId()];
  const refusal = {
    ...{ atMs: systemClock.now(), event: 'edge.message.rejected', sessionId, queueId, tenant: 'acme' },
    ...{ reversePath: 'big@far.test', recipient: 'big@acme.test', reply: '552 5.3.4 too big' },
  };
  await told(refusal, { ...refusal, tenant: 'beta', recipient: 'big@beta.test' });
  for (const asked of [
    { recipient: 'big@acme.test' },
    { reversePath: 'big@far.test' },
    { id: queueId },
    { id: sessionId },
  ])
    expect(await traced('acme', asked)).toMatchObject([
      { queueId: '', sessionId, reversePath: 'big@far.test', events: [{ recipient: 'big@acme.test' }] },
    ]);
  expect(await traced('acme', { recipient: 'big@beta.test' })).toEqual([]);
  expect((await traced('*', { reversePath: 'big@far.test', recipient: 'big@beta.test' }))[0]?.events).toHaveLength(2);
  expect(await traced('*', { reversePath: 'other@far.test', recipient: 'big@beta.test' })).toEqual([]);
});

test('a refused message beside one that was taken in the same session is found apart from it', async () => {
  const { ground } = queue;
  const mail = envelope([forwardPath('both@beta.test', { disposition: Disposition.HOLD })]);
  await ground.spool(mail);
  await ground.until(
    () => traced('beta', { id: mail.queueId }),
    (found) => found.length === 1,
  );
  const { sessionId } = mail;
  const refused = newQueueId();
  const step = { atMs: systemClock.now() + 1, sessionId, tenant: 'beta', recipient: 'both@beta.test' };
  await told(
    { ...step, event: 'edge.recipient.rejected', recipient: 'ghost@beta.test' },
    { ...step, event: 'edge.message.accepted', queueId: mail.queueId },
    { ...step, event: 'edge.message.rejected', queueId: refused, reply: '552 5.3.4 too big' },
  );
  const found = await traced('beta', { recipient: 'both@beta.test' });
  expect(found.map(({ queueId }) => queueId)).toEqual(['', mail.queueId]);
  expect(found[0]?.events.map(({ event }) => event)).toEqual(['edge.recipient.rejected', 'edge.message.rejected']);
  expect(found[1]?.events.map(({ event }) => event)).not.toContain('edge.message.rejected');
  expect(await traced('beta', { id: sessionId })).toHaveLength(2);
  // Stored after all, though the client heard 451: the message tells it.
  await told({ ...step, event: 'edge.message.rejected', queueId: mail.queueId, reply: '451 4.3.0 not stored' });
  expect(await traced('beta', { recipient: 'both@beta.test' })).toHaveLength(2);
});

test('messages and refusals are one list, newest first, of which the limit keeps the newest', async () => {
  const { ground } = queue;
  const to = 'mixed@beta.test';
  const mail = envelope([forwardPath(to, { disposition: Disposition.HOLD })]);
  await ground.spool(mail);
  await ground.until(
    () => traced('beta', { recipient: to }),
    (found) => found.length === 1,
  );
  const sessions = [newQueueId(), newQueueId()] as const;
  const step = { event: 'edge.recipient.rejected', tenant: 'beta', recipient: to };
  await told({ ...step, atMs: mail.acceptedAtMs - 1_000, sessionId: sessions[0] });
  await told({ ...step, atMs: mail.acceptedAtMs + 1_000, sessionId: sessions[1] });
  const found = async (limit: number) =>
    (await traced('beta', { recipient: to, limit })).map(({ sessionId }) => sessionId);
  expect(await found(10)).toEqual([sessions[1], mail.sessionId, sessions[0]]);
  expect(await found(1)).toEqual([sessions[1]]);
});

test('a refused login is found by who tried: by operators, and by the tenant whose domain he was named with', async () => {
  const sessionId = newQueueId();
  await told({
    ...{ atMs: systemClock.now(), event: 'edge.login.refused', sessionId, tenant: 'system' },
    ...{ reply: '535 5.7.8 no', detail: { user: 'bob@acme.test', reason: 'wrong password' } },
  });
  expect(await traced('*', { reversePath: 'bob@acme.test' })).toMatchObject([{ sessionId }]);
  expect(await traced('acme', { reversePath: 'bob@acme.test' })).toEqual([]);
  const own = newQueueId();
  await told({
    ...{ atMs: systemClock.now(), event: 'edge.login.refused', sessionId: own, tenant: 'acme' },
    ...{ reply: '535 5.7.8 no', detail: { user: 'eve@acme.test', reason: 'wrong password' } },
  });
  expect(await traced('acme', { reversePath: 'eve@acme.test' })).toMatchObject([{ sessionId: own }]);
  expect(await traced('beta', { reversePath: 'eve@acme.test' })).toEqual([]);
  expect(await traced('beta', { id: own })).toEqual([]);
});

test('steps of one millisecond are shown as they happened', async () => {
  const { ground } = queue;
  const mail = envelope([forwardPath('order@beta.test', { disposition: Disposition.HOLD })]);
  await ground.spool(mail);
  await ground.until(
    () => traced('beta', { id: mail.queueId }),
    (found) => found.length === 1,
  );
  const atMs = mail.acceptedAtMs + 100_000;
  const step = { atMs, sessionId: mail.sessionId, tenant: 'beta', queueId: mail.queueId };
  await told(
    { ...step, event: 'queue.notice.sent' },
    { ...step, event: 'queue.recipient.bounced' },
    { ...step, event: 'queue.rule.applied' },
    { ...step, event: 'queue.recipient.operated' },
    { ...step, queueId: '', event: 'edge.recipient.rejected', recipient: 'z@beta.test' },
    { ...step, queueId: '', event: 'edge.recipient.rejected', recipient: 'a@beta.test' },
  );
  const [shown] = await traced('beta', { id: mail.queueId });
  expect(
    shown?.events.filter((one) => one.atMs === atMs).map(({ event, recipient }) => `${event} ${recipient}`.trim()),
  ).toEqual([
    'edge.recipient.rejected z@beta.test',
    'edge.recipient.rejected a@beta.test',
    'queue.recipient.operated',
    'queue.rule.applied',
    'queue.recipient.bounced',
    'queue.notice.sent',
  ]);
});

test('who bounces hears of how many the sender gets no report, and why', async () => {
  const { ground } = queue;
  const held = { disposition: Disposition.HOLD };
  const mails = [
    envelope([forwardPath('b@quiet.test', { ...held, tenant: 'beta' })]),
    envelope([forwardPath('b@quiet.test', { ...held, tenant: 'beta' })], { reversePath: '' }),
    envelope([forwardPath('b@quiet.test', { ...held, tenant: 'beta' })], { senderAuthenticated: false }),
    envelope([forwardPath('b@quiet.test', { ...held, tenant: 'beta', notify: [Notify.NEVER] })]),
  ];
  for (const mail of mails) await ground.spool(mail);
  await ground.until(
    async () => (await list('beta', { selection: Selection.fromPartial({ domain: 'quiet.test' }) })).items.length,
    (count) => count === mails.length,
  );
  const bounce = { operation: Operation.BOUNCE, selection: { domain: 'quiet.test' }, actor: 'op', reason: 'no' };
  expect(await client.call(client.rpc.operate, OperateRequest.fromPartial(bounce), as('beta'))).toEqual({
    changed: 4,
    unreported: { 'null-reverse-path': 1, unauthenticated: 1, 'not-asked': 1 },
    unfit: {},
  });
});

const simulate = async (
  who: string,
  recipients: Parameters<typeof envelope>[0],
  changes: Partial<SimulateDeliveryRequest> = {},
  tags: string[] = [],
) => {
  const described = envelope(recipients, { renderings: [{ edits: [], replacedBodyId: '', tags }] });
  const request = { ...SimulateDeliveryRequest.fromPartial({ envelope: described }), ...changes };
  const { deliveries } = await client.call(client.rpc.simulateDelivery, request, as(who));
  return deliveries.map(({ recipient, event, outcome, rules }) =>
    [recipient, event, outcome, ...rules.map(({ evidence }) => evidence)].join(' | '),
  );
};

test('rules before an attempt are shown with the route that would be taken', async () => {
  expect(await simulate('*', ['slow@acme.test', 'x@far.test'])).toEqual([
    'slow@acme.test | relay | go | slow@1 at relay retrySchedule 5s 50s until 60s',
    'x@far.test | relay | go',
  ]);
  expect(await simulate('*', ['x@acme.test'], {}, ['bulk'])).toEqual([
    'x@acme.test | relay | bounce | no-list@1 at relay reject 550 5.7.1 no lists of acme',
  ]);
  const { deliveries } = await client.call(
    client.rpc.simulateDelivery,
    SimulateDeliveryRequest.fromPartial({ envelope: envelope(['slow@acme.test']) }),
    as('*'),
  );
  expect(deliveries[0]).toMatchObject({
    route: 'main (local, pool default)',
    delaysMs: [5_000, 50_000],
    expiresAfterMs: 60_000,
  });
});

test('rules after a failure are shown for the reply and attempt that are supposed, else for one of each kind', async () => {
  expect(await simulate('*', ['x@beta.test'])).toEqual([
    'x@beta.test | relay | go',
    'x@beta.test | delivery-failure | bounced | words@1 at delivery-failure ndrText Ask the help desk of beta',
  ]);
  const full = (attempt: number) => ({
    scene: DeliveryScene.fromPartial({ attempt, reply: { replyCode: 452, enhancedCode: '4.2.2', replyText: 'full' } }),
  });
  expect(await simulate('*', ['x@acme.test'], full(1))).toEqual(['x@acme.test | relay | go']);
  expect(await simulate('*', ['x@acme.test'], full(3))).toEqual([
    'x@acme.test | relay | go',
    'x@acme.test | temporary-failure | bounced | full@1 at temporary-failure reject 550 5.7.1 mailbox is full of acme',
  ]);
});

test('a rule that is tried decides in simulation, and the saved ones stay', async () => {
  const hold = deliveryRule('no-list', { tenant: 'acme' }, '{"event":"relay","then":[{"hold":{"reason":"look"}}]}');
  expect(await simulate('acme', ['x@acme.test'], { tenant: 'acme', candidates: [hold] })).toEqual([
    'x@acme.test | relay | hold | no-list@1 at relay hold look of acme',
  ]);
  expect(await simulate('acme', ['x@acme.test'])).toEqual(['x@acme.test | relay | go']);
});

test('a tenant sees what becomes of its own recipients, also of those an alias of its own leads to', async () => {
  const alias = forwardPath('all@acme.test', { expandsTo: ['y@acme.test', 'z@beta.test', 'w@far.test'] });
  const expected = ['y@acme.test | relay | go', 'w@far.test | relay | go'];
  expect(await simulate('acme', [alias, 'x@beta.test'])).toEqual(expected);
  const foreign = deliveryRule('r', { tenant: 'beta' }, '{"event":"relay","then":["discard"]}');
  await expect(simulate('acme', ['x@acme.test'], { candidates: [foreign] })).rejects.toMatchObject({
    id: 'permission-denied',
  });
});
