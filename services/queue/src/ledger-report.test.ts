/** The ledger over mail that WORK took over together and no delivery pod has taken yet. Real NATS and PostgreSQL. */
import { systemClock } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { spoolMessage, spoolSubject } from '@postern/stream';
import { expect, test } from 'vitest';
import { ledgerReport } from './ledger-report.js';
import { compilePolicy } from './policy-in-use.js';
import { rebuild } from './rebuild.js';
import { withQueue } from './testing/ground.js';
import { envelope, newQueueId, testSnapshot } from './testing/messages.js';
import { ulidFloor } from './ulid-time.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms' } });

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
  const bytesOf = (message: Envelope): Uint8Array => Envelope.encode(message).finish();
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
