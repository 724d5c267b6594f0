/** With a real nats-server on a full disk: packages/e2e/src/streams/store-guard.test.ts. */
import { expect, test } from 'vitest';
import { StoreGuard } from './store-guard.js';

test('what is acknowledged at a place known before is not stored', () => {
  const reasons: string[] = [];
  let server_id = 'one';
  const guard = new StoreGuard(
    () => ({ server_id }),
    (reason) => reasons.push(reason),
  );
  expect(guard.isInPlace('spool.a', 7, guard.place('spool.a') + 1)).toBe(true);
  expect(guard.isInPlace('work.default.a', 1, guard.place('work.default.a') + 1)).toBe(true);
  // Answers out of order: both were sent before either was acknowledged.
  expect(guard.isInPlace('spool.b', 9, 8)).toBe(true);
  expect(guard.isInPlace('spool.c', 8, 8)).toBe(true);
  expect(guard.damage()).toBeUndefined();
  expect(guard.isInPlace('spool.d', 9, guard.place('spool.d') + 1)).toBe(false);
  expect(guard.isInPlace('work.default.b', 2, 2)).toBe(false);
  expect(reasons).toHaveLength(1);
  server_id = 'two';
  expect(guard.damage()).toBeUndefined();
  expect(guard.isInPlace('spool.e', 1, guard.place('spool.e') + 1)).toBe(true);
});

test('in a cluster another server leads', () => {
  const guard = new StoreGuard(
    () => ({ server_id: 'one', cluster: 'postern' }),
    () => expect.unreachable(),
  );
  guard.report('write failed');
  expect(guard.damage()).toBeUndefined();
});
