/** A message that comes from SPOOL again is placed again. What waited as a row the first time and can start now is the same item, so that WORK refuses it. */
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { spoolSubject } from '@postern/stream';
import { expect, test } from 'vitest';
import { compilePolicy } from './policy-in-use.js';
import { withQueue } from './testing/ground.js';
import { envelope, testSnapshot } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms', dispatchEvery: '20ms' } });
const running = testSnapshot();
const suspended = { ...running, tenants: running.tenants.map((tenant) => ({ ...tenant, state: 'suspended' })) };

const withoutRoute = { ...running, nextHops: [] };

test.each([
  ['one recipient', suspended, ['bob@acme.test']],
  ['several, in no order', suspended, ['dave@acme.test', 'bob@acme.test', 'carol@acme.test']],
  ['those without a route', withoutRoute, ['dave@acme.test', 'bob@acme.test']],
])('%s', async (_case, snapshot, recipients) => {
  const { ground } = queue;
  const message = envelope(recipients);
  const items = () => ground.work.filter(({ queueId }) => queueId === message.queueId);
  ground.policy = compilePolicy(snapshot);
  await ground.spool(message);
  await ground.until(
    () => ground.admin.query('SELECT 1 FROM mail.waiting WHERE queue_id = $1', [message.queueId]),
    ({ rows }) => rows.length === recipients.length,
  );
  ground.policy = compilePolicy(running);
  // A round that began before the policy changed puts them off once more.
  const dueNow = "UPDATE mail.waiting SET due_at = 0 WHERE queue_id = $1 AND state = 'deferred'";
  await ground.until(
    async () => {
      await ground.admin.query(dueNow, [message.queueId]);
      return items();
    },
    ({ length }) => length === 1,
  );

  await ground.publisher.publish(spoolSubject(message.queueId), Envelope.encode(message).finish(), {
    msgId: `${message.queueId}:again`,
    headers: { 'Postern-Again': 'apart' },
  });
  const before = ground.work.length;
  const next = envelope(['next@acme.test']);
  await ground.spool(next);
  await ground.until(
    async () => (await ground.levels('SPOOL')).messages,
    (messages) => messages === 0,
  );
  await ground.until(
    () => ground.work.slice(before).some(({ queueId }) => queueId === next.queueId),
    (arrived) => arrived,
  );
  expect(items().flatMap((item) => item.recipients.map(({ address }) => address).sort())).toEqual(recipients.sort());
});
