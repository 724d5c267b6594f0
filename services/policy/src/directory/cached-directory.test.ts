import { systemClock } from '@postern/clock';
import { DirectoryEpoch, RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import {
  type Bucket,
  connectStreams,
  directoryEpochKey,
  directoryKey,
  ensureStreams,
  natsAuthorization,
  openBucket,
  type ServiceUser,
  type StreamConnection,
  streamDeclarations,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type CachedDirectory, createCachedDirectory } from './cached-directory.js';

const password = 'test-only';
const passwords = { edge: password, policy: password, queue: password, delivery: password, provisioning: password };
const nats = withNats({ authorization: natsAuthorization(passwords) });
const lookups: string[] = [];
const connections: StreamConnection[] = [];
let writer: Bucket;
let directory: CachedDirectory;

async function connect(user: ServiceUser, onState?: () => void): Promise<StreamConnection> {
  const connection = await connectStreams({
    servers: [nats.url.replace('nats://', '')],
    user,
    password,
    ...(onState === undefined ? {} : { onState }),
  });
  connections.push(connection);
  return connection;
}

beforeAll(async () => {
  const provisioning = await connect('provisioning');
  const maxBytes = Object.fromEntries(streamDeclarations.map(({ name }) => [name, 16 * 1_048_576]));
  await ensureStreams(provisioning, { replicas: 1, egressPools: [], maxBytes });
  writer = await openBucket(provisioning, systemClock, 'DIRECTORY');
  const policy = await connect('policy', () => directory?.drop());
  directory = createCachedDirectory(await openBucket(policy, systemClock, 'DIRECTORY'), {
    clock: systemClock,
    maxEntries: 100,
    timeoutMs: 500,
    onDropped: () => undefined,
    onFailed: () => undefined,
    onLookup: (from) => lookups.push(from),
  });
}, 60_000);

afterAll(async () => {
  directory.stop();
  await Promise.allSettled(connections.map((connection) => connection.close()));
});

const write = (address: string, targets: string[] = []): Promise<number> =>
  writer.put(
    directoryKey(address),
    RecipientEntry.encode({
      address,
      tenant: 't1',
      kind: RecipientKind.USER,
      targets,
      enabled: true,
      allowedIdentities: [],
      checks: '',
    }).finish(),
  );
const kindOf = async (address: string): Promise<string> => (await directory.lookup(address)).kind;
const targetsOf = async (address: string): Promise<readonly string[]> => {
  const found = await directory.lookup(address);
  return found.kind === 'found' ? found.entry.targets : [found.kind];
};

test('a directory that was never written says nothing about anybody', async () => {
  expect(await directory.lookup('a@x.test')).toMatchObject({ kind: 'unavailable' });
  await writer.put(directoryEpochKey, DirectoryEpoch.encode({ sequence: 1, confirmedAtMs: 1 }).finish());
  await vi.waitFor(async () => expect(await kindOf('a@x.test')).toBe('absent'));
});

test('entries and absences are kept, and a change takes them out', async () => {
  expect(await kindOf('b@x.test')).toBe('absent');
  lookups.length = 0;
  expect(await kindOf('b@x.test')).toBe('absent');
  expect(lookups).toEqual(['cache']);
  await write('b@x.test', ['one']);
  await vi.waitFor(async () => expect(await targetsOf('b@x.test')).toEqual(['one']));
  await write('b@x.test', ['two']);
  await vi.waitFor(async () => expect(await targetsOf('b@x.test')).toEqual(['two']));
  await writer.delete(directoryKey('b@x.test'));
  await vi.waitFor(async () => expect(await kindOf('b@x.test')).toBe('absent'));
});

test('an entry under the key of another address is not that address', async () => {
  const other = {
    address: 'other@x.test',
    tenant: 't1',
    kind: RecipientKind.USER,
    targets: [],
    enabled: true,
    allowedIdentities: [],
    checks: '',
  };
  await writer.put(directoryKey('c@x.test'), RecipientEntry.encode(other).finish());
  expect(await kindOf('c@x.test')).toBe('absent');
});

test('memory is bounded; the longest unused goes first', async () => {
  for (let index = 0; index < 150; index += 1) await directory.lookup(`n${index}@x.test`);
  expect(directory.size).toBe(100);
  lookups.length = 0;
  await directory.lookup('n149@x.test');
  await directory.lookup('n0@x.test');
  expect(lookups).toEqual(['cache', 'bucket']);
});

test('equal questions at once are one', async () => {
  lookups.length = 0;
  const answers = await Promise.all(Array.from({ length: 20 }, () => directory.lookup('once@x.test')));
  expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['absent']));
  expect(lookups).toEqual(['bucket']);
});

test('the server away: unavailable, never absent; back again: what is true now', async () => {
  await write('d@x.test', ['before']);
  await vi.waitFor(async () => expect(await targetsOf('d@x.test')).toEqual(['before']));
  await nats.stop('SIGKILL');
  await vi.waitFor(async () => expect(await kindOf('d@x.test')).toBe('unavailable'), { timeout: 10_000 });
  await nats.restart();
  await vi.waitFor(() => write('d@x.test', ['after']), { timeout: 20_000 });
  await vi.waitFor(async () => expect(await targetsOf('d@x.test')).toEqual(['after']), { timeout: 20_000 });
  await write('d@x.test', ['later']);
  await vi.waitFor(async () => expect(await targetsOf('d@x.test')).toEqual(['later']), { timeout: 20_000 });
}, 60_000);
