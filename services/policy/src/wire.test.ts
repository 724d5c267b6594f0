// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import { loadConfig } from '@postern/config';
import { startDnsServer, type TestDnsServer } from '@postern/dns/testing';
import { createClient, createScopeSource } from '@postern/grpc';
import type { Service, ServiceContext } from '@postern/lifecycle';
import { type DeepPartial, Snapshot } from '@postern/proto/config/v1/snapshot';
import { DirectoryEpoch, RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { Action, EvaluateRequest, PolicyServiceClient } from '@postern/proto/policy/v1/policy_service';
import {
  type Bucket,
  connectStreams,
  directoryEpochKey,
  directoryKey,
  ensureStreams,
  natsAuthorization,
  openBucket,
  type StreamConnection,
  snapshotKey,
  streamDeclarations,
} from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withNats } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { policyConfig } from './config.js';
import { envelopeStages, factsOf } from './testing/ground.js';
import { wire } from './wire.js';

const password = 'test-only';
const passwords = { edge: password, policy: password, queue: password, delivery: password, provisioning: password };
const nats = withNats({ authorization: natsAuthorization(passwords) });
const telemetry = captureTelemetry('policy');
const key = randomBytes(32);
const context: ServiceContext = { signal: new AbortController().signal, telemetry, clock: systemClock };
let dir = '';
let dns: TestDnsServer;
let provisioning: StreamConnection;
let config: Bucket;
let service: Service;
let edge: ReturnType<typeof connectEdge>;
let version = 0;

function connectEdge(port: number) {
  const scope = createScopeSource({ service: 'edge', key, clock: systemClock });
  return createClient(PolicyServiceClient, { address: `127.0.0.1:${port}`, telemetry, deadlineMs: 5_000, scope });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createSocketServer();
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => resolve(bound !== null && typeof bound === 'object' ? bound.port : 0));
    });
  });
}

async function publish(snapshot: DeepPartial<Snapshot>): Promise<number> {
  version += 1;
  const whole = Snapshot.fromPartial({
    version,
    readerVersion: 1,
    hostname: 'mx.postern.test',
    domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true }],
    dns: { servers: [dns.server] },
    ...snapshot,
  });
  await config.put(snapshotKey, Snapshot.encode(whole).finish());
  return version;
}

const serverRule = (id: string, actions: readonly unknown[]) => ({
  ...{ id, version: 1, scope: 'server', tenant: '' },
  document: `{"event":"connect","then":${JSON.stringify(actions)}}`,
});

const applied = (wanted: number) =>
  vi.waitFor(() => expect(telemetry.events('policy.snapshot.applied').map((line) => line.version)).toContain(wanted), {
    timeout: 2_000,
    interval: 10,
  });
const ask = () =>
  edge.call(edge.rpc.evaluate, EvaluateRequest.fromPartial({ stages: envelopeStages, facts: factsOf() }));

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-policy-'));
  const file = async (name: string, content: string | Buffer): Promise<string> => {
    await writeFile(join(dir, name), content);
    return join(dir, name);
  };
  dns = await startDnsServer({ 'sender.test': { TXT: ['v=spf1 -all'] } });
  provisioning = await connectStreams({ servers: [nats.url.replace('nats://', '')], user: 'provisioning', password });
  const maxBytes = Object.fromEntries(streamDeclarations.map(({ name }) => [name, 16 * 1_048_576]));
  await ensureStreams(provisioning, { replicas: 1, egressPools: [], maxBytes });
  config = await openBucket(provisioning, systemClock, 'CONFIG');
  const port = await freePort();
  const yaml = {
    nats: { servers: [`127.0.0.1:${nats.port}`], passwordFile: await file('password', password) },
    scopeKeyFile: await file('scope.key', key),
    policy: { listen: `127.0.0.1:${port}`, podName: 'policy-7' },
  };
  service = wire(
    loadConfig(policyConfig, { file: await file('c.yaml', JSON.stringify(yaml)), env: {}, argv: [] }),
    telemetry,
  );
  await service.start(context);
  edge = connectEdge(port);
}, 60_000);

afterAll(async () => {
  edge.close();
  await service.drain(context);
  await service.stop(context);
  await provisioning.close();
  await dns.stop();
  await rm(dir, { recursive: true, force: true });
}, 30_000);

test('without a snapshot a pod is not ready and judges nothing', async () => {
  expect(service.ready()).toEqual({ ok: false, reasons: ['no snapshot yet'] });
  await expect(ask()).rejects.toMatchObject({ id: 'policy-unavailable' });
});

test('a first snapshot that cannot be compiled is refused, and the pod says why it is not ready', async () => {
  await publish({ rules: [serverRule('bad', ['nonsense'])] });
  await vi.waitFor(() => expect(telemetry.events('policy.snapshot.refused')).toHaveLength(1));
  expect(service.ready().reasons).toEqual([expect.stringMatching(/^no snapshot yet: .*bad then\[0\]/)]);
});

test('a snapshot makes it ready; without a directory recipients are 451', async () => {
  await applied(await publish({}));
  expect(service.ready().ok).toBe(true);
  const verdict = await ask();
  expect(verdict.pod).toBe('policy-7');
  expect(verdict.recipients[0]?.decision).toMatchObject({
    action: Action.TEMPFAIL,
    replyCode: 451,
    enhancedCode: '4.3.0',
  });
});

test('recipients, checks and DNS servers of the snapshot are in use within two seconds of a change', async () => {
  const directory = await openBucket(provisioning, systemClock, 'DIRECTORY');
  const address = 'user@here.test';
  const entry = {
    address,
    tenant: 't1',
    kind: RecipientKind.USER,
    targets: [],
    enabled: true,
    allowedIdentities: [],
    checks: '',
  };
  await directory.put(directoryKey(address), RecipientEntry.encode(entry).finish());
  await directory.put(directoryEpochKey, DirectoryEpoch.encode({ sequence: 1, confirmedAtMs: 1 }).finish());
  await vi.waitFor(async () => expect((await ask()).recipients[0]?.decision?.action).toBe(Action.ACCEPT));
  await applied(await publish({ checks: { spf: { enabled: true, onFail: 'reject' } } }));
  expect((await ask()).decision).toMatchObject({ action: Action.REJECT, enhancedCode: '5.7.23' });
  expect(dns.queries.map(({ name }) => name)).toContain('sender.test');
  await applied(await publish({ checks: { spf: { enabled: true, onFail: 'mark' } } }));
  expect((await ask()).decision?.action).toBe(Action.ACCEPT);
});

test('operator rules that cannot be used leave the last ones in force; the rest of the snapshot is taken, and it is said', async () => {
  const rules = [serverRule('kept', [{ tag: { name: 'kept' } }])];
  await applied(await publish({ rules }));
  const twice = [...rules, ...rules];
  await applied(await publish({ rules: twice, checks: { spf: { enabled: true, onFail: 'reject' } } }));
  expect(telemetry.events('policy.rule.refused').at(-1)?.reason).toMatch(/^kept id: is used by another rule/);
  expect(await telemetry.metrics.text()).toMatch(/postern_policy_rules_stale 1/);
  const verdict = await ask();
  expect(verdict.recipients[0]?.decision?.action).toBe(Action.REJECT);
  expect(verdict.findings.map(({ check, rule }) => rule || check)).toContain('kept@1');
  expect(service.ready().ok).toBe(true);
  await applied(await publish({ rules }));
  expect(await telemetry.metrics.text()).toMatch(/postern_policy_rules_stale 0/);
});

test('what happened is counted', async () => {
  const text = await telemetry.metrics.text();
  expect(text).toMatch(/postern_policy_check_total\{check="spf",outcome="fail"\} [1-9]/);
  expect(text).toMatch(/postern_policy_requests_total\{stage="rcpt"\} [1-9]/);
  expect(text).toMatch(/postern_policy_snapshot_version 7/);
  expect(text).toMatch(/postern_policy_dns_questions_total\{type="TXT",outcome="answer"\} [1-9]/);
});
