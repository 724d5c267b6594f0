/**
 * Killed between "mail of a batch was put back by itself" and "the batch acknowledged" (durability.md): it is in SPOOL twice. NATS is killed with it, so that
 * no Msg-Id is remembered: only `Postern-Again` keeps delivery from doing it twice.
 */
import { rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { Disposition, Envelope } from '@postern/proto/mail/v1/envelope';
import { createPublisher, type ServiceUser, type StreamConnection, spoolMessage, spoolSubject } from '@postern/stream';
import { afterAll, expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { closeStream } from '../cluster/stream-room.js';
import { asService, logOf } from '../fuzz/cluster-files.js';
import { withMailWorld } from '../integration/mail-world.js';

const armFile = join(tmpdir(), `postern-put-back-${process.pid}`);
const world = withMailWorld({ environment: { POSTERN_FAILPOINT_FILE: armFile } });
const newId = createUlidSource(systemClock, systemRandom);
const patience = { timeout: 60_000, interval: 100 };
afterAll(() => rm(armFile, { force: true }));

async function as<T>(user: ServiceUser, work: (connection: StreamConnection) => Promise<T>): Promise<T> {
  const connection = await asService(world.cluster, user);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Recipients with renderings of their own: an item each, and the body in BODIES if there are several. */
function envelope(text: string, recipients: readonly string[]) {
  return Envelope.fromPartial({
    queueId: newId(),
    acceptedAtMs: systemClock.now(),
    reversePath: 'bob@acme.test',
    forwardPaths: recipients.map((address, rendering) => ({
      address,
      tenant: 'acme',
      rendering,
      disposition: Disposition.DELIVER,
    })),
    renderings: recipients.map(() => ({})),
    size: 30,
    submittingTenant: 'acme',
    body: { place: { $case: 'inline', value: Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`) } },
  });
}

/** The next queue process dies there. */
async function arm(): Promise<void> {
  await writeFile(armFile, 'queue.after-put-back');
  await restartQueue();
}

async function restartQueue(): Promise<void> {
  await world.cluster.waitReplaced('queue', await world.cluster.signal('queue', 'SIGTERM'));
}

async function killNats(): Promise<void> {
  await world.cluster.waitReplaced('nats', await world.cluster.signal('nats', 'SIGKILL'));
}

const stalls = async (): Promise<number> =>
  (await logOf(world.cluster, 'queue-0')).split('"queue.intake.stalled"').length - 1;

async function messagesIn(...streams: readonly string[]): Promise<unknown[]> {
  const status = await world.cluster.ctlJson('status');
  const found: unknown = typeof status === 'object' && status !== null ? Reflect.get(status, 'streams') : undefined;
  if (!Array.isArray(found)) throw new Error(JSON.stringify(status));
  return found.filter(({ name }) => streams.includes(name)).map(({ messages }) => messages);
}

const stalled = (times: number) => vi.waitFor(async () => expect(await stalls()).toBe(times), patience);
const arrivals = (text: string) => world.nextHop.having(text).length;

test.each<[string, (spool: () => Promise<void>) => Promise<void>]>([
  [
    'one that waited for room',
    async (spool) => {
      await arm();
      await spool();
    },
  ],
  [
    'all of a batch that came back twice',
    async (spool) => {
      const before = await stalls();
      await spool();
      await stalled(before + 1);
      await restartQueue();
      await stalled(before + 2);
      await arm();
    },
  ],
])('%s', { timeout: 300_000 }, async (label, reach) => {
  const name = label.replaceAll(' ', '-');
  const waits = envelope(`${name}-waits`, ['carol@acme.test', 'dave@acme.test']);
  const goes = envelope(`${name}-goes`, ['carol@acme.test']);
  const bodies = await as('provisioning', (connection) => closeStream(connection, 'BODIES'));
  await reach(() =>
    as('edge', async (connection) => {
      const { data, headers } = spoolMessage([Envelope.encode(waits).finish(), Envelope.encode(goes).finish()]);
      const subject = spoolSubject(goes.queueId);
      const stored = await createPublisher(connection, systemClock).publish(subject, data, {
        msgId: goes.queueId,
        headers,
      });
      expect(stored.kind).toBe('stored');
    }),
  );
  await vi.waitFor(async () => expect(await stat(armFile).catch(() => 'hit')).toBe('hit'), patience);
  await vi.waitFor(() => expect(arrivals(`${name}-goes`)).toBe(1), patience);
  expect(arrivals(`${name}-waits`)).toBe(0);
  await killNats();
  await vi.waitFor(() => as('provisioning', (connection) => bodies.open(connection)), patience);

  await vi.waitFor(async () => expect(await messagesIn('SPOOL', 'WORK', 'OUTCOMES')).toEqual([0, 0, 0]), patience);
  await waitAtRest(world.cluster, 60_000);
  expect([arrivals(`${name}-goes`), arrivals(`${name}-waits`)]).toEqual([1, 2]);
});
