import { Disposition, Notify } from '@postern/proto/mail/v1/envelope';
import { type Item, UnitKind } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeBatch, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { spoolSubject } from '@postern/stream';
import { expect, test } from 'vitest';
import { compilePolicy } from './policy-in-use.js';
import { withQueue } from './testing/ground.js';
import { answer, envelope, forwardPath, newQueueId, testSnapshot } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '5ms' } });

const itemsOf = (queueId: string): Item[] => queue.ground.work.filter((item) => item.queueId === queueId);
const unitsOf = async (queueId: string) =>
  (await queue.ground.admin.query('SELECT * FROM mail.recipients WHERE queue_id = $1 ORDER BY recipient', [queueId]))
    .rows;
const rowsOf = async (queueId: string) =>
  (await queue.ground.admin.query('SELECT * FROM mail.waiting WHERE queue_id = $1 ORDER BY recipient', [queueId])).rows;

test('one message: into WORK inline, delivered, closed and counted once even when the outcome comes twice', async () => {
  const { ground } = queue;
  const message = envelope(['bob@acme.test']);
  await ground.spool(message);
  const [item] = await ground.until(
    () => itemsOf(message.queueId),
    (items) => items.length === 1,
  );
  expect(item).toMatchObject({
    attempt: 1,
    tenant: 'acme',
    reversePath: 'alice@example.test',
    route: { lane: 'main', domain: 'acme.test' },
  });
  expect(item?.body?.place?.$case).toBe('inline');
  if (item === undefined) return;
  const delivered = answer(item, OutcomeKind.DELIVERED);
  await ground.outcomes(delivered);
  await ground.outcomes(delivered, delivered);
  await ground.until(
    () => unitsOf(message.queueId),
    ([unit]) => unit?.state === 'delivered' && unit?.unit_kind === 'accepted',
  );
  expect(await ground.counts()).toEqual({ accepted: 1, delivered: 1 });
});

test('an outcome may overtake the acceptance', async () => {
  const { ground } = queue;
  const before = await ground.counts();
  const queueId = newQueueId();
  const early = Outcome.fromPartial({
    kind: OutcomeKind.DELIVERED,
    queueId,
    tenant: 'acme',
    attempt: 1,
    atMs: 1,
    recipients: [{ address: 'x@acme.test' }],
  });
  await ground.outcomes(early);
  await ground.until(
    () => unitsOf(queueId),
    ([unit]) => unit?.state === 'delivered',
  );
  await ground.outcomes(
    Outcome.fromPartial({
      kind: OutcomeKind.ACCEPTED,
      queueId,
      tenant: 'acme',
      atMs: 1,
      recipients: [{ address: 'x@acme.test' }],
    }),
  );
  const [unit] = await ground.until(
    () => unitsOf(queueId),
    ([found]) => found?.unit_kind === 'accepted',
  );
  expect(unit?.state).toBe('delivered');
  const after = await ground.counts();
  expect(after.accepted).toBe((before.accepted ?? 0) + 1);
  expect(after.delivered).toBe((before.delivered ?? 0) + 1);
});

test('fan-out, alias, duplicate, quarantine and discard are units with bodies in BODIES first', async () => {
  const { ground } = queue;
  const message = envelope([
    forwardPath('team@acme.test', { expandsTo: ['a@acme.test', 'b@beta.test', 'c@acme.test'] }),
    'c@acme.test',
    forwardPath('spam@acme.test', { disposition: Disposition.QUARANTINE }),
    forwardPath('sink@beta.test', { disposition: Disposition.DISCARD }),
  ]);
  await ground.spool(message);
  await ground.until(
    () => unitsOf(message.queueId),
    (units) => units.length === 7,
  );
  expect(
    (await unitsOf(message.queueId)).map(({ recipient, unit_kind, state }) => [recipient, unit_kind, state]),
  ).toEqual([
    ['a@acme.test', 'expanded', 'open'],
    ['b@beta.test', 'expanded', 'open'],
    ['c@acme.test', 'accepted', 'open'],
    ['c@acme.test (via team@acme.test)', 'expanded', 'merged'],
    ['sink@beta.test', 'accepted', 'discarded'],
    ['spam@acme.test', 'accepted', 'open'],
    ['team@acme.test', 'accepted', 'replaced'],
  ]);
  expect(await rowsOf(message.queueId)).toMatchObject([{ recipient: 'spam@acme.test', state: 'quarantined' }]);
  const items = itemsOf(message.queueId);
  expect(items.map(({ tenant, recipients }) => [tenant, recipients.map(({ address }) => address)])).toEqual(
    expect.arrayContaining([
      ['acme', ['c@acme.test']],
      ['acme', ['a@acme.test']],
      ['beta', ['b@beta.test']],
    ]),
  );
  for (const item of items) expect(item.body?.place).toEqual({ $case: 'bodyId', value: message.queueId });
  expect(await ground.bodies.stat(message.queueId)).toMatchObject({ size: 31 });
  const { rows } = await ground.admin.query(
    `SELECT t.detail, w.expires_at FROM mail.trace_events t JOIN mail.waiting w USING (queue_id)
     WHERE t.queue_id = $1 AND t.event = 'queue.recipient.quarantined'`,
    [message.queueId],
  );
  expect(rows.map(({ detail }) => detail)).toEqual([
    expect.objectContaining({ kept_until: new Date(Number(rows[0]?.expires_at)).toISOString() }),
  ]);
  expect(rows[0]?.detail).not.toHaveProperty('next_attempt_at');
});

test('deferred becomes a row, is dispatched again when due, and its row goes when delivered', async () => {
  const { ground } = queue;
  const message = envelope(['late@acme.test']);
  await ground.spool(message);
  const [first] = await ground.until(
    () => itemsOf(message.queueId),
    (items) => items.length === 1,
  );
  if (first === undefined) throw new Error('no item');
  await ground.bodies.put(message.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
  await ground.outcomes(
    answer(first, OutcomeKind.DEFERRED, { replyCode: 451, enhancedCode: '4.2.0', replyText: 'later' }),
  );
  const [row] = await ground.until(
    () => rowsOf(message.queueId),
    ([found]) => found?.state === 'deferred',
  );
  expect(row).toMatchObject({ attempt: 1, last_reply: '451 4.2.0 later', lane: 'main' });
  expect(Number(row.due_at) - Date.now()).toBeGreaterThan(290_000);
  await ground.admin.query('UPDATE mail.waiting SET due_at = 0 WHERE queue_id = $1', [message.queueId]);
  const second = (
    await ground.until(
      () => itemsOf(message.queueId),
      (items) => items.length === 2,
    )
  )[1];
  expect(second).toMatchObject({ attempt: 2, body: { place: { $case: 'bodyId', value: message.queueId } } });
  await ground.until(
    () => rowsOf(message.queueId),
    ([found]) => found?.state === 'dispatched' && found.attempt === 2 && found.out,
  );
  if (second === undefined) return;
  await ground.outcomes(answer(first, OutcomeKind.DEFERRED));
  await ground.outcomes(answer(second, OutcomeKind.DELIVERED));
  await ground.until(
    () => rowsOf(message.queueId),
    (rows) => rows.length === 0,
  );
  expect(await unitsOf(message.queueId)).toMatchObject([{ state: 'delivered', attempts: 2 }]);
});

test('what cannot be read is parked and ends nothing', async () => {
  const { ground } = queue;
  await ground.publisher.publish(spoolSubject('x'), Buffer.from([0xff, 0xff, 0xff]), { msgId: newQueueId() });
  await ground.publisher.publish('outcomes.delivery', Buffer.from([0xff, 0xff, 0xff]), { msgId: newQueueId() });
  const senseless = OutcomeBatch.encode({
    outcomes: [Outcome.fromPartial({ queueId: 'q', tenant: 't', recipients: [{ address: 'a@b' }] })],
  });
  await ground.publisher.publish('outcomes.delivery', senseless.finish(), { msgId: newQueueId() });
  await ground.until(
    () => ground.telemetry.events('queue.message.parked').length,
    (count) => count === 3,
  );
  const message = envelope(['still@acme.test']);
  await ground.spool(message);
  await ground.until(
    () => itemsOf(message.queueId),
    (items) => items.length === 1,
  );
});

test('a row that cannot be decoded is held and said, and what waits beside it is dispatched', async () => {
  const { ground } = queue;
  const [broken, beside] = [envelope(['broken@acme.test']), envelope(['beside@acme.test'])];
  for (const message of [broken, beside]) {
    await ground.spool(message);
    const [item] = await ground.until(
      () => itemsOf(message.queueId),
      (items) => items.length === 1,
    );
    if (item === undefined) throw new Error('no item');
    await ground.bodies.put(message.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
    await ground.outcomes(answer(item, OutcomeKind.DEFERRED, { replyCode: 451 }));
    await ground.until(
      () => rowsOf(message.queueId),
      ([found]) => found?.state === 'deferred',
    );
  }
  await ground.admin.query(`UPDATE mail.waiting SET item = '\\x0aff', due_at = 0 WHERE queue_id = $1`, [
    broken.queueId,
  ]);
  // The largest attempt there is: one more must not stop the statement for all.
  await ground.admin.query(`UPDATE mail.waiting SET attempt = 2147483647, due_at = 1 WHERE queue_id = $1`, [
    beside.queueId,
  ]);
  await ground.until(
    () => itemsOf(beside.queueId),
    (items) => items.length === 2,
  );
  await ground.until(
    () => rowsOf(broken.queueId),
    ([found]) => found?.state === 'held',
  );
  expect(ground.telemetry.events('queue.row.unreadable')).toMatchObject([{ queue_id: broken.queueId }]);
  await ground.admin.query('UPDATE mail.waiting SET expires_at = 0 WHERE queue_id = $1', [broken.queueId]);
  await ground.until(
    () => unitsOf(broken.queueId),
    ([unit]) => unit?.state === 'expired',
  );
});

test('a permanent failure makes one DSN to an authenticated sender, none to others, and the body goes at the end', async () => {
  const { ground } = queue;
  const message = envelope(['nobody@acme.test', forwardPath('quiet@acme.test', { notify: [Notify.NEVER] })], {
    reversePath: 'alice@beta.test',
  });
  await ground.spool(message);
  const [item] = await ground.until(
    () => itemsOf(message.queueId),
    (items) => items.length === 1,
  );
  if (item === undefined) throw new Error('no item');
  await ground.bodies.put(message.queueId, Buffer.from('Subject: hello\r\n\r\nhow are you\r\n'), Buffer.alloc(0));
  const bounced = answer(item, OutcomeKind.BOUNCED, {
    replyCode: 550,
    enhancedCode: '5.1.1',
    replyText: 'no such user',
    remoteHost: 'mx.acme.test',
  });
  await ground.outcomes(bounced);
  await ground.outcomes(bounced);
  const [dsn] = await ground.until(
    () => ground.work.filter(({ recipients }) => recipients[0]?.address === 'alice@beta.test'),
    (items) => items.length > 0,
  );
  expect(dsn).toMatchObject({
    reversePath: '',
    tenant: 'acme',
    unitKind: UnitKind.GENERATED,
    route: { domain: 'beta.test' },
  });
  const content = Buffer.from(dsn?.body?.place?.$case === 'inline' ? dsn.body.place.value : []).toString();
  expect(content).toContain('Final-Recipient: rfc822;nobody@acme.test');
  expect(content).toContain('550 5.1.1 no such user');
  expect(content).toContain('Subject: hello');
  expect(content).not.toContain('quiet@acme.test');
  await ground.until(
    () => unitsOf(dsn?.queueId ?? ''),
    ([unit]) => unit?.unit_kind === 'generated',
  );
  await ground.until(
    () => ground.bodies.stat(message.queueId),
    (facts) => facts === undefined,
  );
  expect(ground.work.filter(({ recipients }) => recipients[0]?.address === 'alice@beta.test')).toHaveLength(1);

  const forged = envelope(['nobody@acme.test'], { reversePath: 'victim@beta.test', senderAuthenticated: false });
  await ground.spool(forged);
  const [other] = await ground.until(
    () => itemsOf(forged.queueId),
    (items) => items.length === 1,
  );
  if (other === undefined) return;
  await ground.bodies.put(forged.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
  await ground.outcomes(answer(other, OutcomeKind.BOUNCED, { replyCode: 550 }));
  await ground.until(
    () => ground.telemetry.events('queue.notice.suppressed').filter(({ queue_id }) => queue_id === forged.queueId),
    ([event]) => event?.why === 'unauthenticated',
  );
});

test('what waits longer than its lifetime expires with a DSN', async () => {
  const { ground } = queue;
  const message = envelope(['slow@acme.test'], { reversePath: 'patient@beta.test' });
  await ground.spool(message);
  const [item] = await ground.until(
    () => itemsOf(message.queueId),
    (items) => items.length === 1,
  );
  if (item === undefined) return;
  await ground.bodies.put(message.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
  await ground.outcomes(answer(item, OutcomeKind.DEFERRED, { replyCode: 450, replyText: 'full' }));
  await ground.until(
    () => rowsOf(message.queueId),
    (rows) => rows.length === 1,
  );
  await ground.admin.query('UPDATE mail.waiting SET expires_at = 0 WHERE queue_id = $1', [message.queueId]);
  await ground.until(
    () => unitsOf(message.queueId),
    ([unit]) => unit?.state === 'expired',
  );
  await ground.until(
    () => ground.work.filter(({ recipients }) => recipients[0]?.address === 'patient@beta.test'),
    (items) => items.length === 1,
  );
});

test('mail for a domain that is deleted meanwhile stays with the reason, expires with a DSN that says so, and never leaves as foreign mail', async () => {
  const { ground } = queue;
  const message = envelope(['gone@acme.test'], { reversePath: 'writer@beta.test' });
  await ground.spool(message);
  const [item] = await ground.until(
    () => itemsOf(message.queueId),
    (items) => items.length === 1,
  );
  if (item === undefined) throw new Error('no item');
  const before = ground.policy;
  const domains = testSnapshot().domains.filter(({ name }) => name !== 'acme.test');
  ground.policy = compilePolicy(testSnapshot({ domains, remoteDelivery: true }));
  await ground.bodies.put(message.queueId, Buffer.from('Subject: hello\r\n\r\nhow are you\r\n'), Buffer.alloc(0));
  await ground.outcomes(answer(item, OutcomeKind.DEFERRED, { replyCode: 450, replyText: 'later' }));
  await ground.until(
    async () => {
      await ground.admin.query("UPDATE mail.waiting SET due_at = 0 WHERE queue_id = $1 AND state = 'deferred'", [
        message.queueId,
      ]);
      return rowsOf(message.queueId);
    },
    ([row]) => row?.last_reply.includes('acme.test is no longer hosted here') === true,
  );
  expect(itemsOf(message.queueId)).toHaveLength(1);
  await ground.admin.query('UPDATE mail.waiting SET expires_at = 0 WHERE queue_id = $1', [message.queueId]);
  const [dsn] = await ground.until(
    () => ground.work.filter(({ recipients }) => recipients[0]?.address === 'writer@beta.test'),
    (items) => items.length === 1,
  );
  const content = Buffer.from(dsn?.body?.place?.$case === 'inline' ? dsn.body.place.value : []).toString();
  expect(content.replace(/\s+/g, ' ')).toContain('acme.test is no longer hosted here');
  ground.policy = before;
});

test('mail of an egress pool that is not declared is a row with the reason, leaves once the pool is, or expires with a DSN', async () => {
  const { ground } = queue;
  const nextHops = [{ name: 'main', tenant: '', hosts: [], egressPool: 'blue' }, ...testSnapshot().nextHops.slice(1)];
  const before = ground.policy;
  ground.policy = compilePolicy(testSnapshot({ nextHops, egressPools: ['default'] }));
  const [goes, stays] = [
    envelope(['one@acme.test']),
    envelope(['two@acme.test'], { reversePath: 'stranded@beta.test' }),
  ];
  const waits = (queueId: string) =>
    ground.until(
      () => rowsOf(queueId),
      ([row]) => row?.state === 'deferred' && row.last_reply.includes('egress pool blue is not declared'),
    );
  for (const message of [goes, stays]) {
    await ground.spool(message);
    await waits(message.queueId);
    // Looked at again it waits on.
    await ground.admin.query('UPDATE mail.waiting SET due_at = 0 WHERE queue_id = $1', [message.queueId]);
    await ground.until(
      () => rowsOf(message.queueId),
      ([row]) => Number(row?.due_at) > 0,
    );
    await waits(message.queueId);
  }
  expect([...itemsOf(goes.queueId), ...itemsOf(stays.queueId)]).toEqual([]);
  ground.policy = before;
  await ground.admin.query('UPDATE mail.waiting SET expires_at = 0 WHERE queue_id = $1', [stays.queueId]);
  // A round that began before the policy changed puts it off once more.
  const dueNow = "UPDATE mail.waiting SET due_at = 0 WHERE queue_id = $1 AND state = 'deferred'";
  await ground.until(
    async () => {
      await ground.admin.query(dueNow, [goes.queueId]);
      return itemsOf(goes.queueId);
    },
    (items) => items.length === 1,
  );
  await ground.until(
    () => unitsOf(stays.queueId),
    ([unit]) => unit?.state === 'expired',
  );
  await ground.until(
    () => ground.work.filter(({ recipients }) => recipients[0]?.address === 'stranded@beta.test'),
    (items) => items.length === 1,
  );
});

test('when a destination delivers again, what failed for its sake is due at once, a full mailbox is not', async () => {
  const { ground } = queue;
  const messages = ['down@beta.test', 'full@beta.test', 'works@beta.test'].map((address) => envelope([address]));
  for (const message of messages) {
    await ground.spool(message);
    await ground.bodies.put(message.queueId, Buffer.from('Subject: x\r\n\r\n'), Buffer.alloc(0));
  }
  const [down, full, works] = await ground.until(
    () => messages.flatMap(({ queueId }) => itemsOf(queueId)),
    (items) => items.length === 3,
  );
  if (down === undefined || full === undefined || works === undefined) throw new Error('no items');
  await ground.outcomes(
    answer(down, OutcomeKind.DEFERRED, { enhancedCode: '4.4.1', replyText: 'connection refused' }),
    answer(full, OutcomeKind.DEFERRED, { replyCode: 452, enhancedCode: '4.2.2', replyText: 'mailbox full' }),
  );
  await ground.until(
    () => ground.telemetry.lines.length + ground.work.length,
    () => ground.engine.isLaneWaiting('beta', 'main'),
  );
  await ground.outcomes(answer(works, OutcomeKind.DELIVERED));
  const again = await ground.until(
    () => itemsOf(down.queueId),
    (items) => items.length === 2,
  );
  expect(again[1]).toMatchObject({ attempt: 2 });
  expect(await rowsOf(full.queueId)).toMatchObject([{ state: 'deferred', attempt: 1 }]);
});
