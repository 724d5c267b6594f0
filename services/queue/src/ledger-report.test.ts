/** The ledger over mail that WORK took over together: while no delivery pod has it, and while one of its items is still in work. Real NATS and PostgreSQL. */
import { systemClock } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import type { LedgerRow } from '@postern/proto/queue/v1/queue_service';
import { createLeftoverReader, spoolMessage, spoolSubject, workItems } from '@postern/stream';
import { expect, test } from 'vitest';
import { ledgerReport } from './ledger-report.js';
import { compilePolicy } from './policy-in-use.js';
import { rebuild } from './rebuild.js';
import { withQueue } from './testing/ground.js';
import { answer, envelope, newQueueId, testSnapshot } from './testing/messages.js';
import { ulidFloor } from './ulid-time.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms' } });
const bytesOf = (message: Envelope): Uint8Array => Envelope.encode(message).finish();

test('every item of one message is a unit of the ledger, and its body is not taken for one that was lost', async () => {
  const { ground } = queue;
  const { database, levels, scan, bodies } = ground;
  ground.policy = compilePolicy(
    Snapshot.fromPartial({ ...testSnapshot(), nextHops: [{ name: 'main', egressPool: 'blue' }] }),
  );
  const anHourAgo = `${ulidFloor(systemClock.now() - 3_600_000).slice(0, 25)}1`;
  const large = envelope(['ann@acme.test'], {
    queueId: anHourAgo,
    body: { place: { $case: 'bodyId', value: anHourAgo } },
  });
  const mails = [large, envelope(['bob@acme.test']), envelope(['carol@beta.test'])] as const;
  await bodies.put(anHourAgo, Buffer.from('Subject: x\r\n\r\n'), bytesOf({ ...large, body: undefined }));
  const { data, headers } = spoolMessage([bytesOf(mails[0]), bytesOf(mails[1]), bytesOf(mails[2])]);
  await ground.publisher.publish(spoolSubject(large.queueId), data, { msgId: newQueueId(), headers });
  const report = await ground.until(
    () =>
      database.service((transaction) =>
        ledgerReport(transaction, () => true, { levels, scan, nowMs: systemClock.now(), withOrphans: true }),
      ),
    ({ balanced, rows }) => balanced && rows.length === 2,
  );
  expect(report).toMatchObject({
    streamMessages: 1,
    orphans: [],
    rows: [
      { tenant: 'acme', created: { accepted: 2 }, open: { queued: 2 }, difference: 0 },
      { tenant: 'beta', created: { accepted: 1 }, open: { queued: 1 }, difference: 0 },
    ],
  });
  // As after a restore from before this mail.
  await ground.admin.query('DELETE FROM mail.recipients WHERE queue_id = $1', [anHourAgo]);
  const rebuilt = await rebuild({
    clock: systemClock,
    database,
    bodies,
    scan,
    policy: ground.policy,
    quarantineKeepMs: 86_400_000,
    settle: ground.engine.operateParts().settle,
  });
  expect(rebuilt).toMatchObject({ bodies: 1, known: 0, carried: 1, messages: 0 });
});

test('what is done with of a message that stays for another of its items is counted once', async () => {
  const { ground } = queue;
  const { connection, database, levels, scan, publisher } = ground;
  const reader = await createLeftoverReader(connection);
  const mails = [envelope(['dan@acme.test']), envelope(['eve@acme.test']), envelope(['fay@acme.test'])] as const;
  const messagesBefore = (await levels('WORK')).messages;
  const queueIds = mails.map(({ queueId }) => queueId);
  const { data, headers } = spoolMessage([bytesOf(mails[0]), bytesOf(mails[1]), bytesOf(mails[2])]);
  await publisher.publish(spoolSubject(mails[0].queueId), data, { msgId: newQueueId(), headers });
  const carried = await ground.until(
    async () => {
      const messages = await reader.oldest('WORK', Number.POSITIVE_INFINITY, 10);
      return messages.flatMap((message) => workItems(message).map((bytes) => Item.decode(bytes)));
    },
    (items) => items.some(({ queueId }) => queueId === mails[0].queueId),
  );
  const [slow, taken, putOff] = queueIds.map((id) => carried.find(({ queueId }) => queueId === id));
  if (slow === undefined || taken === undefined || putOff === undefined) throw new Error('not in WORK');
  await ground.outcomes(answer(taken, OutcomeKind.DELIVERED), answer(putOff, OutcomeKind.DEFERRED));
  const report = () =>
    database.service((transaction) =>
      ledgerReport(transaction, () => true, { levels, scan, nowMs: systemClock.now(), withOrphans: true }),
    );
  const acme = ({ rows }: { readonly rows: readonly LedgerRow[] }) => rows.find(({ tenant }) => tenant === 'acme');
  const waits = await ground.until(report, (now) => acme(now)?.open.deferred === 1);
  expect(waits).toMatchObject({ streamMessages: messagesBefore + 1, orphans: [] });
  expect(acme(waits)).toMatchObject({ closed: { delivered: 1 }, difference: 0 });
  // Its retry goes into WORK, where its first attempt still is.
  await ground.admin.query('UPDATE mail.waiting SET due_at = 0');
  const tried = await ground.until(report, ({ streamMessages }) => streamMessages === messagesBefore + 2);
  expect(acme(await ground.until(report, (now) => acme(now)?.open.deferred === undefined))).toMatchObject({
    difference: 0,
  });
  expect(tried.orphans).toEqual([]);
});
