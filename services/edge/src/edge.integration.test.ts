/** The edge as wired, with a real NATS and Redis and a policy service over a socket. */
import { createBodyStore } from '@postern/body-store';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { parseDocument } from '@postern/config';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { TraceBatch } from '@postern/proto/mail/v1/trace';
import { ContentPlan, type EvaluateRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import {
  askStatus,
  type Consumption,
  connectStreams,
  consume,
  ensureStreams,
  intakeConsumer,
  openBucket,
  type StreamConnection,
  snapshotKey,
  traceConsumer,
} from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withNats, withRedis } from '@postern/testkit';
import { RawClient } from '@postern/testkit/smtp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { edgeConfig } from './config.js';
import { edgeEvents } from './events.js';
import { testSnapshot } from './testing/doubles.js';
import { startTestPolicy, type TestPolicy } from './testing/policy-server.js';
import { wire } from './wire.js';

const nats = withNats();
const redis = withRedis();
const telemetry = captureTelemetry('edge', 'info');
let provisioning: StreamConnection;
let policy: TestPolicy;
let service: ReturnType<typeof wire>;
let intake: Consumption;
let traces: Consumption;
const envelopes: Envelope[] = [];
const traced: string[] = [];
const context = { signal: new AbortController().signal, telemetry, clock: systemClock };

const port = (): number => Number(telemetry.events('edge.listener.opened')[0]?.port);

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('condition not met in time');
    await systemClock.sleep(10);
  }
}

async function sendMail(body: string | Buffer, recipient = 'bob@example.test'): Promise<string | undefined> {
  const client = await RawClient.open(port());
  await client.reply();
  await client.command('EHLO client.test');
  await client.command('MAIL FROM:<a@sender.test>');
  const answer = await client.command(`RCPT TO:<${recipient}>`);
  if (answer?.startsWith('250') !== true) {
    client.destroy();
    return answer;
  }
  await client.command('DATA');
  client.send(body);
  client.send('\r\n.\r\n');
  const reply = await client.reply();
  client.destroy();
  return reply;
}

beforeAll(async () => {
  provisioning = await connectStreams({ servers: [nats.url], user: 'provisioning', password: '' });
  await ensureStreams(provisioning, { replicas: 1, egressPools: ['default'] });
  const bucket = await openBucket(provisioning, systemClock, 'CONFIG');
  await bucket.put(snapshotKey, Snapshot.encode({ ...testSnapshot, readerVersion: 1 }).finish());
  policy = await startTestPolicy(captureTelemetry('policy', 'error'));
  const sections = { nats: edgeConfig.fields.nats, redis: edgeConfig.fields.redis, edge: edgeConfig.fields.edge };
  const config = {
    nats: parseDocument(sections.nats, { servers: [nats.url.replace('nats://', '')] }, 'test'),
    redis: parseDocument(sections.redis, { url: redis.url }, 'test'),
    telemetry: parseDocument(edgeConfig.fields.telemetry, {}, 'test'),
    lifecycle: parseDocument(edgeConfig.fields.lifecycle, {}, 'test'),
    edge: parseDocument(
      sections.edge,
      {
        podName: 'edge-1',
        listeners: [{ name: 'mx', role: 'mx', address: '127.0.0.1:0' }],
        policy: { addresses: [policy.address], deadline: '2s' },
        spoolDeadline: '2s',
      },
      'test',
    ),
  };
  service = wire(config, { ...telemetry, log: telemetry.log });
  await service.start(context);
  intake = consume(
    provisioning,
    systemClock,
    intakeConsumer,
    { maxInFlight: 64, maxBatch: 1, onError: () => undefined },
    async (batch) => {
      for (const delivery of batch) {
        envelopes.push(Envelope.decode(delivery.data));
        delivery.ack();
      }
    },
  );
  traces = consume(
    provisioning,
    systemClock,
    traceConsumer,
    { maxInFlight: 64, maxBatch: 1, onError: () => undefined },
    async (batch) => {
      for (const delivery of batch) {
        for (const { event, reply } of TraceBatch.decode(delivery.data).events) traced.push(`${event} ${reply}`);
        delivery.ack();
      }
    },
  );
  await until(() => service.ready().ok);
}, 60_000);

afterAll(async () => {
  await intake.stop();
  await traces.stop();
  await service.drain(context);
  await service.stop(context);
  policy.stop();
  await provisioning.close();
}, 60_000);

describe('edge with real stores', () => {
  it('knows its events', () => {
    expect(
      telemetry.lines.every((line) => String(line.event) in edgeEvents || !String(line.event).startsWith('edge.')),
    ).toBe(true);
  });

  it('answers 250 with a queue id that is in SPOOL with the whole envelope', async () => {
    const reply = await sendMail('Subject: hi\r\n\r\nhello');
    expect(reply).toMatch(/^250 2\.6\.0 queued as [0-9A-Z]{26}$/);
    const queueId = reply?.slice(-26);
    await until(() => envelopes.some((envelope) => envelope.queueId === queueId));
    const envelope = envelopes.find((one) => one.queueId === queueId);
    expect(envelope?.body?.place).toEqual({ $case: 'inline', value: Buffer.from('Subject: hi\r\n\r\nhello\r\n') });
    expect(envelope).toMatchObject({
      reversePath: 'a@sender.test',
      snapshotVersion: 7,
      forwardPaths: [{ address: 'bob@example.test', tenant: 'acme', rendering: 0 }],
      origin: {
        clientAddress: '127.0.0.1',
        helo: 'client.test',
        listener: 'mx',
        edge: 'edge-1',
        withProtocol: 'ESMTP',
      },
    });
    expect(envelope?.renderings[0]?.edits[0]).toMatchObject({ name: 'Received', kind: 1 });
    expect(envelope?.renderings[0]?.edits[0]?.value).toContain(`by mx.postern.test with ESMTP id ${queueId}`);
  });

  it('answers status with what it sees', async () => {
    const views = await askStatus(provisioning, createUlidSource(systemClock, systemRandom)(), systemClock);
    const seen = views.find(({ service: name }) => name === 'edge')?.dependencies ?? [];
    expect(seen.map(({ name, state }) => `${name} ${state}`)).toEqual(
      expect.arrayContaining(['nats ok', 'redis ok', 'policy ok']),
    );
  });

  it('puts a large body into BODIES before SPOOL names it, and gives policy the same bytes', async () => {
    policy.answer = (request: EvaluateRequest) =>
      EvaluateResponse.fromPartial({
        contentPlan: ContentPlan.BODY,
        recipients: (request.facts?.recipients ?? []).map(({ address }) => ({ address, decision: { action: 1 } })),
      });
    const line = `${'x'.repeat(70)}\r\n`;
    const body = `Subject: big\r\n\r\n${line.repeat(6_000)}end`;
    const reply = await sendMail(body);
    expect(reply).toMatch(/^250 2\.6\.0/);
    const queueId = reply?.slice(-26) ?? '';
    await until(() => envelopes.some((envelope) => envelope.queueId === queueId));
    const envelope = envelopes.find((one) => one.queueId === queueId);
    expect(envelope?.body?.place).toEqual({ $case: 'bodyId', value: queueId });
    const store = await createBodyStore(provisioning, systemClock);
    const parts: Buffer[] = [];
    for await (const part of store.read(queueId)) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(`${body}\r\n`);
    expect(policy.content.toString()).toBe(`${body}\r\n`);
    expect(envelope?.size).toBe(body.length + 2);
  });

  it('explains a refusal in trace', async () => {
    expect(await sendMail('x', 'victim@elsewhere.test')).toMatch(/^550 5\.7\.1/);
    await until(() => traced.some((line) => line.startsWith('edge.recipient.rejected 550 5.7.1')));
  });

  it('takes a newer snapshot within two seconds, without dropping a session', async () => {
    const client = await RawClient.open(port());
    await client.reply();
    await client.command('EHLO client.test');
    const bucket = await openBucket(provisioning, systemClock, 'CONFIG');
    const next = { ...testSnapshot, version: 8, relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }] };
    await bucket.put(snapshotKey, Snapshot.encode(next).finish());
    await until(() => telemetry.events('edge.snapshot.applied').some((line) => line.version === 8));
    await client.command('MAIL FROM:<a@sender.test>');
    expect(await client.command('RCPT TO:<bob@elsewhere.test>')).toMatch(/^250/);
    client.destroy();
    await bucket.put(snapshotKey, Snapshot.encode({ ...testSnapshot, version: 9 }).finish());
    await until(() => telemetry.events('edge.snapshot.applied').some((line) => line.version === 9));
  });

  it('goes on after the policy pod died and came back, and says 451 while it is away', async () => {
    const [, policyPort] = policy.address.split(':');
    policy.stop();
    expect(await sendMail('x')).toMatch(/^451 4\.3\.0/);
    policy = await startTestPolicy(captureTelemetry('policy', 'error'), Number(policyPort));
    await until(() => telemetry.events('edge.policy.opened').length > 1);
    expect(await sendMail('x')).toMatch(/^250/);
  });

  it('decides limits itself while Redis is away', async () => {
    const told = (): string[] => telemetry.events('edge.limits.changed').map(({ level, state }) => `${level} ${state}`);
    expect(told()).toEqual(['info joined']);
    await redis.stop('SIGKILL');
    expect(await sendMail('x')).toMatch(/^250/);
    await until(() => told().includes('warn local'));
    await redis.restart();
  });

  it('answers 4xx while NATS is away, and 250 again after it', async () => {
    await nats.stop('SIGKILL');
    expect(await sendMail('x')).toMatch(/^45[12] 4\.3\.[01]/);
    await nats.restart();
    await until(() => service.ready().ok);
    expect(await sendMail('x')).toMatch(/^250/);
  });
});
