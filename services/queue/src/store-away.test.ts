import { systemClock } from '@postern/clock';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { expect, test } from 'vitest';
import { ledgerReport } from './ledger-report.js';
import { withQueue } from './testing/ground.js';
import { answer, envelope } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '2ms', outcomeBatch: 50 } });

const report = () =>
  queue.ground.database.service((transaction) =>
    ledgerReport(transaction, () => true, {
      levels: queue.ground.levels,
      scan: queue.ground.scan,
      nowMs: systemClock.now() + 600_000,
      withOrphans: true,
    }),
  );

test('PostgreSQL killed: first attempts go on, outcomes wait, and when it is back nothing is lost or counted twice', async () => {
  const { ground, postgres } = queue;
  const warm = envelope(['warm@acme.test']);
  await ground.spool(warm);
  await ground.until(
    () => ground.work.length,
    (count) => count === 1,
  );
  await postgres.stop('SIGKILL');
  for (let i = 0; i < 20; i++) await ground.spool(envelope([`user${i}@acme.test`]));
  await ground.until(
    () => ground.work.length,
    (count) => count === 21,
  );
  for (const item of ground.work) await ground.outcomes(answer(item, OutcomeKind.DELIVERED));
  await ground.until(
    () => ground.engine.storeAway(),
    (away) => away,
  );
  await postgres.restart();
  const last = await ground.until(
    () => report().catch(() => undefined),
    (found) => found?.balanced === true && found.rows[0]?.closed.delivered === 21,
  );
  expect(last?.rows).toMatchObject([
    { tenant: 'acme', created: { accepted: 21 }, closed: { delivered: 21 }, difference: 0 },
  ]);
  expect(last?.orphans).toEqual([]);
  expect(ground.engine.storeAway()).toBe(false);
}, 60_000);

test('two pods, every outcome repeated and shuffled: units are counted once and the ledger balances', async () => {
  const { ground } = queue;
  const second = ground.newEngine('queue-1');
  second.start();
  const before = ground.work.length;
  const messages = Array.from({ length: 150 }, (_, i) =>
    envelope([`a${i}@acme.test`, `b${i}@beta.test`, `c${i}@acme.test`]),
  );
  await Promise.all(messages.map((message) => ground.spool(message)));
  await ground.until(
    () => ground.work.length - before,
    (count) => count === 300,
  );
  const items = ground.work.slice(before);
  const kinds = [OutcomeKind.DELIVERED, OutcomeKind.DEFERRED, OutcomeKind.DISCARDED];
  // A reply of the mailbox: a failure of the site would make the rows due when the lane delivers.
  const full = { replyCode: 452, enhancedCode: '4.2.2', replyText: 'mailbox full' };
  const said = items.map((item, i) => answer(item, kinds[i % kinds.length] ?? OutcomeKind.DELIVERED, full));
  await Promise.all([...said, ...said.toReversed()].map((outcome) => ground.outcomes(outcome)));
  const found = await ground.until(report, ({ balanced, outcomesInFlight }) => balanced && outcomesInFlight === 0);
  const total = (terms: (row: (typeof found.rows)[number]) => Record<string, number>) =>
    found.rows.flatMap((row) => Object.values(terms(row))).reduce((sum, count) => sum + count, 0);
  expect(total(({ created }) => created)).toBe(21 + 450);
  const deferred = said
    .filter(({ kind }) => kind === OutcomeKind.DEFERRED)
    .reduce((sum, { recipients }) => sum + recipients.length, 0);
  expect(total(({ open }) => open)).toBe(deferred);
  expect(found.orphans).toEqual([]);
  // Due at once: both pods dispatch the same rows, each goes out once.
  const sentBefore = ground.work.length;
  await ground.database.service((transaction) => transaction.script('UPDATE mail.waiting SET due_at = 0'));
  await ground.until(
    () => ground.work.slice(sentBefore).flatMap(({ recipients }) => recipients).length,
    (count) => count >= deferred,
  );
  const again = ground.work.slice(sentBefore);
  expect(new Set(again.map(({ itemId }) => itemId)).size).toBe(again.length);
  for (const item of again) await ground.outcomes(answer(item, OutcomeKind.DELIVERED));
  await ground.until(
    report,
    ({ balanced, rows }) => balanced && rows.every(({ open }) => Object.values(open).every((count) => count === 0)),
  );
  expect(again.flatMap(({ recipients }) => recipients)).toHaveLength(deferred);
  await second.drain();
}, 60_000);
