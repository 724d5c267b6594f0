/**
 * Trust (design.md): one NATS user per service. Walks every user against one subject of every kind and demands exactly the rights of the
 * table: what is not named is denied, by a real server.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { freePort } from '@postern/local';
import { ServiceView } from '@postern/proto/provisioning/v1/service_view';
import type { StreamConnection } from '@postern/stream';
import {
  answerStatus,
  askStatus,
  connectStreams,
  ensureStreams,
  inboxPrefix,
  natsAuthorization,
  type ServiceUser,
  serviceUsers,
  statusAnswer,
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
const connections = new Map<ServiceUser, StreamConnection>();
const violations = new Map<ServiceUser, string[]>();

function connection(user: ServiceUser): StreamConnection {
  const found = connections.get(user);
  if (found === undefined) throw new Error(`${user} is not connected`);
  return found;
}

beforeAll(async () => {
  for (const user of serviceUsers) {
    violations.set(user, []);
    const onState = (_state: string, detail: string): void => {
      if (detail.includes('Permissions Violation')) violations.get(user)?.push(detail);
    };
    connections.set(user, await connectStreams({ servers: [nats.url], user, password: passwords[user], onState }));
  }
  await ensureStreams(connection('provisioning'), { replicas: 1, egressPools: ['default'] });
});
afterAll(async () => {
  for (const { nats: client } of connections.values()) await client.close();
});

/** The server reports a violation before it answers the flush; the client hands it on a turn later. */
async function answered(client: StreamConnection['nats']): Promise<void> {
  await client.flush();
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

/** Who may publish to a subject: everyone else must be refused. */
const rights: readonly (readonly [subject: string, allowed: readonly ServiceUser[]])[] = [
  ['spool.1', ['edge', 'queue']],
  ['work.default.1', ['queue', 'delivery']],
  ['work.~back.1', ['queue']],
  ['work.~back.63', ['queue']],
  ['outcomes.queue', ['queue']],
  ['outcomes.delivery', ['delivery']],
  ['bodies.01X.0', ['edge', 'queue', 'delivery']],
  ['parked.work', ['queue', 'delivery']],
  ['trace.edge', ['edge']],
  ['trace.policy', ['policy']],
  ['trace.queue', ['queue']],
  ['trace.delivery', ['delivery']],
  ['status.ask', ['provisioning']],
  ['status.said.edge.01X', ['edge']],
  ['status.said.queue.01X', ['queue']],
  ['$KV.CONFIG.snapshot', ['provisioning']],
  ['$KV.SECRETS.x', ['provisioning']],
  ['$KV.DIRECTORY.x', ['provisioning']],
  ['$JS.API.DIRECT.GET.BODIES.bodies.x.end', ['queue', 'delivery']],
  ['$JS.API.DIRECT.GET.KV_SECRETS.$KV.SECRETS.x', ['delivery', 'provisioning']],
  ['$JS.API.DIRECT.GET.KV_DIRECTORY.$KV.DIRECTORY.x', ['policy', 'queue', 'provisioning']],
  ['$JS.API.CONSUMER.MSG.NEXT.SPOOL.queue', ['queue']],
  ['$JS.API.CONSUMER.MSG.NEXT.WORK.pool-default', ['delivery']],
  ['$JS.API.CONSUMER.MSG.NEXT.WORK.queue', ['queue']],
  ['$JS.API.CONSUMER.INFO.WORK.pool-default', ['queue', 'delivery', 'provisioning']],
  ['$JS.API.CONSUMER.INFO.WORK.queue', ['queue', 'provisioning']],
  ['$JS.ACK.WORK.pool-default.1.1.1.1.1', ['delivery']],
  ['$JS.ACK.WORK.queue.1.1.1.1.1', ['queue']],
  ['$JS.API.CONSUMER.MSG.NEXT.OUTCOMES.queue', ['queue']],
  ['$JS.API.CONSUMER.CREATE.SPOOL.spy', ['provisioning']],
  ['$JS.API.STREAM.PURGE.BODIES', ['queue']],
  ['$JS.API.STREAM.MSG.DELETE.SPOOL', ['queue']],
  ['$JS.API.STREAM.MSG.DELETE.BODIES', []],
  ['$JS.API.DIRECT.GET.SPOOL', ['queue']],
  ['$JS.API.DIRECT.GET.PARKED', ['queue']],
  ['$JS.API.STREAM.MSG.DELETE.PARKED', ['queue']],
  ['$JS.API.STREAM.PURGE.PARKED', []],
  ['$JS.API.STREAM.MSG.GET.PARKED', ['queue']],
  ['$JS.API.STREAM.PURGE.SPOOL', []],
  ['$JS.API.STREAM.DELETE.SPOOL', []],
  ['$JS.API.STREAM.CREATE.X', ['provisioning']],
  ['$JS.API.STREAM.MSG.GET.SPOOL', ['queue']],
  ['$JS.API.STREAM.MSG.GET.WORK', ['queue']],
  ['$JS.API.STREAM.MSG.GET.OUTCOMES', []],
  ['$SYS.REQ.SERVER.PING', []],
];

test.each(rights)('only %s publishers: %j', async (subject, allowed) => {
  for (const user of serviceUsers) {
    const client = connection(user).nats;
    violations.set(user, []);
    // A reply subject nobody reads, and no payload: a permitted API call fails harmlessly on its arguments.
    client.publish(subject, '', { reply: `${inboxPrefix(user)}.probe` });
    await answered(client);
    const denied = (violations.get(user) ?? []).some((text) => text.includes(`"${subject}"`));
    expect({ user, subject, denied }).toEqual({ user, subject, denied: !allowed.includes(user) });
  }
});

test('no service hears the replies of another, nor mail in flight', async () => {
  for (const user of serviceUsers) {
    for (const other of serviceUsers.filter((name) => name !== user)) {
      for (const subject of [`${inboxPrefix(other)}.>`, 'spool.>', 'work.>', '>']) {
        violations.set(user, []);
        const { nats: client } = connection(user);
        client.subscribe(subject, { callback: () => {} });
        await answered(client);
        expect({ user, subject, denied: (violations.get(user) ?? []).length > 0 }).toEqual({
          user,
          subject,
          denied: true,
        });
      }
    }
  }
});

test('what the services see is told to provisioning, each for itself; one that is broken or bent breaks nobody', async () => {
  const away = { name: 'redis', look: () => Promise.reject(new Error('refused\nat 10.0.0.1')) };
  const never = { name: 'dns', look: () => Promise.withResolvers<{ state: 'ok' }>().promise };
  answerStatus(connection('edge'), 'edge', [away], systemClock);
  answerStatus(connection('policy'), 'policy', [never], systemClock);
  const nonce = createUlidSource(systemClock, systemRandom)();
  connection('delivery').nats.subscribe('status.ask', {
    callback: () => {
      const said = ServiceView.encode({ service: 'queue', processes: 1, dependencies: [] }).finish();
      connection('delivery').nats.publish(statusAnswer('delivery', nonce), said);
      connection('delivery').nats.publish(statusAnswer('delivery', nonce), Buffer.from([255, 1]));
    },
  });
  await Promise.all(serviceUsers.map((user) => connection(user).nats.flush()));
  const views = await askStatus(connection('provisioning'), nonce, systemClock);
  const nats = { name: 'nats', state: 'ok', detail: '' };
  expect(views.sort((a, b) => a.service.localeCompare(b.service))).toEqual([
    { service: 'edge', processes: 1, dependencies: [nats, { name: 'redis', state: 'away', detail: 'refused' }] },
    {
      service: 'policy',
      processes: 1,
      dependencies: [nats, { name: 'dns', state: 'away', detail: 'no answer in 400 ms' }],
    },
  ]);
});

test('a login the server does not take, and a server that is not there, are told apart', async () => {
  const tried = (servers: readonly string[], password: string): Promise<unknown> =>
    connectStreams({ servers, user: 'edge', password, connectTimeoutMs: 2_000 });
  await expect(tried([nats.url], 'wrong')).rejects.toThrow(/^NATS at \S+ does not take user "edge": .*authorization/i);
  const nowhere = `127.0.0.1:${await freePort()}`;
  await expect(tried([nowhere], 'e1')).rejects.toThrow(`NATS at ${nowhere} cannot be reached: connection refused`);
  const mute = createServer().listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const address = mute.address();
  const silent = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  await expect(tried([silent], 'e1')).rejects.toThrow(`NATS at ${silent} cannot be reached: no answer in time`);
  mute.close();
});
