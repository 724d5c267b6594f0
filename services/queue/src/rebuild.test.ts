import { systemClock, ulidTime } from '@postern/clock';
import { Disposition, Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { expect, test } from 'vitest';
import { rebuild } from './rebuild.js';
import { withQueue } from './testing/ground.js';
import { envelope, forwardPath } from './testing/messages.js';
import { ulidFloor } from './ulid-time.js';

const queue = withQueue();

test('a lost database gets its rows back from BODIES, once', async () => {
  const { ground } = queue;
  const hourAgo = ulidFloor(systemClock.now() - 3_600_000).slice(0, 25);
  const old = (n: number) => `${hourAgo}${n}`;
  expect(ulidTime(old(1))).toBeLessThan(systemClock.now() - 3_500_000);
  const fanOut = envelope(['a@acme.test', forwardPath('b@beta.test', { disposition: Disposition.QUARANTINE })], {
    queueId: old(1),
  });
  await ground.bodies.put(
    old(1),
    Buffer.from('Subject: x\r\n\r\n'),
    Envelope.encode({ ...fanOut, body: undefined }).finish(),
  );
  const item = Item.fromPartial({
    itemId: `${old(2)}:7:3`,
    queueId: old(2),
    group: 7,
    tenant: 'acme',
    recipients: [{ address: 'late@acme.test' }],
    reversePath: 'alice@example.test',
    rendering: {},
    acceptedAtMs: systemClock.now() - 3_600_000,
    expiresAtMs: systemClock.now() + 3_600_000,
  });
  await ground.bodies.put(old(2), Buffer.from('Subject: y\r\n\r\n'), Item.encode(item).finish());
  await ground.bodies.put(old(3), Buffer.from('Subject: z\r\n\r\n'), Buffer.from('neither'));
  const recent = envelope(['new@acme.test']);
  await ground.bodies.put(recent.queueId, Buffer.from('x'), Envelope.encode({ ...recent, body: undefined }).finish());
  const parts = {
    clock: systemClock,
    database: ground.database,
    bodies: ground.bodies,
    scan: ground.scan,
    policy: ground.policy,
    quarantineKeepMs: 86_400_000,
    settle: ground.engine.operateParts().settle,
  };
  expect(await rebuild(parts)).toEqual({
    bodies: 4,
    known: 0,
    carried: 0,
    recent: 1,
    unreadable: [old(3)],
    messages: 2,
    recipients: 3,
  });
  expect(await rebuild(parts)).toMatchObject({ known: 2, messages: 0 });
  const sent = await ground.until(
    () =>
      ground.work.flatMap(({ queueId, recipients, attempt, body }) =>
        recipients.map(({ address }) => ({ queueId, address, attempt, body })),
      ),
    (found) => found.length === 2,
  );
  expect(sent.map(({ address }) => address).sort()).toEqual(['a@acme.test', 'late@acme.test']);
  for (const { queueId, body } of sent) expect(body?.place).toEqual({ $case: 'bodyId', value: queueId });
  await ground.until(
    async () =>
      (await ground.admin.query("SELECT recipient, state FROM mail.waiting WHERE state <> 'dispatched'")).rows,
    (rows) => rows.length === 1 && rows[0]?.recipient === 'b@beta.test' && rows[0]?.state === 'quarantined',
  );
});
