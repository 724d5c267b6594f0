/** What is parked on a running cluster: `posternctl queue parked` shows it, puts it back so that it is delivered, or ends it; audited and traced. */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { Disposition, Envelope } from '@postern/proto/mail/v1/envelope';
import { OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import type { StreamConnection } from '@postern/stream';
import { afterAll, expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { asDatabaseAdmin, asService } from '../fuzz/cluster-files.js';
import { withMailWorld } from './mail-world.js';

const world = withMailWorld();
const whole = { timeout: 120_000 };
const soon = { timeout: 20_000, interval: 100 };
const newId = createUlidSource(systemClock, systemRandom);
const opened: StreamConnection[] = [];
afterAll(async () => {
  for (const connection of opened) await connection.close();
});

async function publish(user: 'edge' | 'queue' | 'delivery', subject: string, data: Uint8Array): Promise<void> {
  const connection = await asService(world.cluster, user);
  opened.push(connection);
  await connection.jetstream.publish(subject, data, { msgID: newId() });
}

function message(text: string) {
  return Envelope.fromPartial({
    queueId: newId(),
    acceptedAtMs: systemClock.now(),
    reversePath: 'bob@acme.test',
    forwardPaths: [{ address: 'carol@acme.test', tenant: 'acme', disposition: Disposition.DELIVER }],
    renderings: [{}],
    size: 30,
    submittingTenant: 'acme',
    body: { place: { $case: 'inline', value: Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`) } },
  });
}

const parked = (...args: string[]) => world.cluster.ctl('queue', 'parked', ...args);
const listed = async (): Promise<Record<string, unknown>[]> => {
  const all = await world.cluster.ctlJson('queue', 'parked', 'list');
  return Array.isArray(all) ? all : [];
};
async function onlyOne(): Promise<string> {
  const all = await vi.waitFor(async () => {
    const found = await listed();
    expect(found).toHaveLength(1);
    return found;
  }, soon);
  return String(all[0]?.id);
}

test('a parked message is put back and delivered', whole, async () => {
  const mail = message('parked-and-back');
  await publish('queue', 'parked.spool', Envelope.encode(mail).finish());
  const id = await onlyOne();
  const shown = await parked('show', id);
  expect(shown.stdout).toContain(mail.queueId);
  expect(shown.stdout).toContain('carol@acme.test');
  expect(shown.stdout).not.toContain('parked-and-back');
  expect(await parked('retry', id, '--reason', 'mended')).toMatchObject({
    code: 0,
    stdout: 'Back in spool with 1 recipient.\n',
  });
  await vi.waitFor(() => expect(world.nextHop.having('parked-and-back')).toHaveLength(1), soon);
  expect(await parked('retry', id)).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing parked') });
  await waitAtRest(world.cluster, 20_000);
  expect((await world.cluster.ctl('trace', mail.queueId)).stdout).toContain('mended');
});

test('what intake and delivery cannot read is parked, and ends when an operator drops it', whole, async () => {
  await publish('edge', 'spool.7', Buffer.from([0x0a, 0xff]));
  const fromQueue = await onlyOne();
  expect((await parked('show', fromQueue)).stdout).toMatch(/from stream +spool\n.*why +not an envelope/s);
  expect(await parked('retry', fromQueue)).toMatchObject({ code: 1, stderr: expect.stringContaining('drop it') });
  expect(await parked('drop', fromQueue)).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') });
  expect(await parked('drop', fromQueue, '--reason', 'noise')).toMatchObject({ code: 0 });
  await publish('queue', 'work.default.7', Buffer.from([0x0a, 0xff]));
  const fromDelivery = await onlyOne();
  expect((await parked('show', fromDelivery)).stdout).toMatch(/from stream +work\n.*why +undecodable item/s);
  expect(await parked('drop', fromDelivery, '--reason', 'noise')).toMatchObject({ code: 0 });
  await publish('delivery', 'outcomes.delivery', OutcomeBatch.encode({ outcomes: [] }).finish());
  expect((await parked('list')).stdout).toBe('Nothing is parked.\n');
  await waitAtRest(world.cluster, 20_000);
});

test('a dropped message is recorded as deleted; drops and retries are in the audit', whole, async () => {
  const mail = message('parked-and-gone');
  await publish('queue', 'parked.spool', Envelope.encode(mail).finish());
  const id = await onlyOne();
  expect(await parked('drop', id, '--reason', 'not wanted')).toMatchObject({
    code: 0,
    stdout: 'Dropped; 1 recipient closed as deleted.\n',
  });
  expect((await world.cluster.ctl('trace', mail.queueId)).stdout).toMatch(/deleted.*not wanted/s);
  await waitAtRest(world.cluster, 20_000);
  expect(world.nextHop.having('parked-and-gone')).toEqual([]);
  const admin = await asDatabaseAdmin(world.cluster);
  const { rows } = await admin.query<{ method: string }>(
    "SELECT method FROM config.audit WHERE resource = 'parked' ORDER BY method",
  );
  await admin.end();
  expect(rows.map(({ method }) => method)).toEqual(['DropParked', 'DropParked', 'DropParked', 'RetryParked']);
});
