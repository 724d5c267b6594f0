/** The stream package against a real server: what is acknowledged survives kill -9, a repeated id is stored once, a body comes back whole. */
import { randomBytes } from 'node:crypto';
import { BodyMissing, createBodyStore } from '@postern/body-store';
import { systemClock } from '@postern/clock';
import {
  connectStreams,
  consume,
  createPublisher,
  ensureStreams,
  intakeConsumer,
  natsAuthorization,
  openBucket,
  readDurability,
  type ServiceUser,
  type StreamConnection,
  spoolSubject,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const passwords: Record<ServiceUser, string> = {
  edge: 'e1',
  policy: 'p1',
  queue: 'q1',
  delivery: 'd1',
  provisioning: 'v1',
};
const nats = withNats({ authorization: natsAuthorization(passwords) });
const open: StreamConnection[] = [];
const connect = async (user: ServiceUser): Promise<StreamConnection> => {
  const connection = await connectStreams({ servers: [nats.url], user, password: passwords[user] });
  open.push(connection);
  return connection;
};

beforeAll(async () => {
  await ensureStreams(await connect('provisioning'), { replicas: 1, egressPools: ['default'] });
});
afterAll(async () => {
  for (const connection of open) await connection.nats.close();
});

test('the durability report is read from the servers', async () => {
  const reports = await readDurability(await connect('edge'), [nats.monitorUrl]);
  expect(reports.map(({ name, storage, sync, replicas }) => ({ name, storage, sync, replicas }))).toContainEqual({
    name: 'SPOOL',
    storage: 'file',
    sync: 'always',
    replicas: 1,
  });
  const unread = await readDurability(await connect('edge'), []);
  expect(new Set(unread.map(({ sync }) => sync))).toEqual(new Set(['unknown']));
});

test('acknowledged messages survive kill -9 of the server and are consumed once each', async () => {
  const publisher = createPublisher(await connect('edge'), systemClock);
  const ids = Array.from({ length: 200 }, (_, index) => `survivor-${index}`);
  const results = await Promise.all(
    ids.map((id) => publisher.publish(spoolSubject(id), Buffer.from(id), { msgId: id })),
  );
  expect(results.every(({ kind }) => kind === 'stored')).toBe(true);
  await nats.stop('SIGKILL');
  const during = publisher.publish(spoolSubject('during'), Buffer.from('during'), {
    msgId: 'during',
    tryMs: 500,
    deadlineMs: 30_000,
  });
  await nats.restart();
  expect((await during).kind).toBe('stored');
  const again = await publisher.publish(spoolSubject('survivor-0'), Buffer.from('survivor-0'), { msgId: 'survivor-0' });
  expect(again).toMatchObject({ kind: 'stored', duplicate: true });

  const seen: string[] = [];
  const all = new Promise<void>((resolve) => {
    void connect('queue').then((queue) => {
      const consumption = consume(
        queue,
        systemClock,
        intakeConsumer,
        { maxInFlight: 64, maxBatch: 16, onError: () => {} },
        async (batch) => {
          for (const message of batch) {
            seen.push(Buffer.from(message.data).toString());
            expect(await message.ackConfirmed(2_000)).toBe(true);
          }
          if (seen.length >= 201) void consumption.stop().then(resolve);
        },
      );
    });
  });
  await all;
  expect([...seen].sort()).toEqual([...ids, 'during'].sort());
});

test('a body larger than a chunk comes back byte for byte, and an unfinished one is not readable', async () => {
  const writer = (await createBodyStore(await connect('edge'), systemClock)).write('01BIG');
  const bytes = randomBytes(1_000_003);
  for (let offset = 0; offset < bytes.length; offset += 70_001)
    await writer.write(bytes.subarray(offset, offset + 70_001));
  const reader = await createBodyStore(await connect('queue'), systemClock);
  await expect(reader.read('01BIG')[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(BodyMissing);
  await writer.finish(Buffer.from('envelope'));
  const parts: Buffer[] = [];
  for await (const part of reader.read('01BIG')) parts.push(part);
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  expect(await reader.stat('01BIG')).toMatchObject({ size: bytes.length, envelope: Buffer.from('envelope') });
  await reader.remove('01BIG');
  expect(await reader.stat('01BIG')).toBeUndefined();
});

test('a body its writer gave up is removed at once, a finished one never is', async () => {
  const writing = await createBodyStore(await connect('edge'), systemClock);
  const removing = await createBodyStore(await connect('queue'), systemClock);
  const given = writing.write('01GIVEN');
  await given.write(randomBytes(400_000));
  given.abort();
  const finished = writing.write('01KEPT');
  await finished.write(randomBytes(400_000));
  await finished.finish(Buffer.from('envelope'));
  finished.abort();
  const present = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { bodyId } of removing.list()) ids.push(bodyId);
    return ids.sort();
  };
  expect(await present()).toEqual(['01GIVEN', '01KEPT']);
  await expect.poll(() => removing.removeDropped(10), { timeout: 10_000 }).toBe(2);
  expect(await present()).toEqual(['01KEPT']);
  expect(await removing.removeDropped(10)).toBe(0);
  expect((await removing.stat('01KEPT'))?.size).toBe(400_000);
});

test('a watch sees changes, also after the server was killed', async () => {
  const writer = await openBucket(await connect('provisioning'), systemClock, 'CONFIG');
  const reader = await openBucket(await connect('edge'), systemClock, 'CONFIG');
  const seen: string[] = [];
  const watch = reader.watch(({ value }) => seen.push(Buffer.from(value ?? []).toString()), { key: 'snapshot' });
  await writer.put('snapshot', Buffer.from('one'));
  await expect.poll(() => seen.at(-1), { timeout: 5_000 }).toBe('one');
  await nats.stop('SIGKILL');
  await nats.restart();
  await expect
    .poll(
      () =>
        writer.put('snapshot', Buffer.from('two')).then(
          () => true,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
  await expect.poll(() => seen.at(-1), { timeout: 20_000 }).toBe('two');
  watch.stop();
});
