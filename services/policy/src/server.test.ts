// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { systemClock } from '@postern/clock';
import { createClient, createScopeSource, createServer, requireScope } from '@postern/grpc';
import {
  Action,
  ContentRequest,
  EvaluateRequest,
  PolicyServiceClient,
  RecordedStep,
  SessionRequest,
  type SessionResponse,
  SimulateRequest,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { afterEach, expect, test } from 'vitest';
import type { Directory } from './directory/directory.js';
import { policyMetrics } from './metrics.js';
import { observeServer } from './observe.js';
import { policyHandlers, policyService } from './server.js';
import { envelopeStages, factsOf, type GroundOptions, ground, memoryDirectory } from './testing/ground.js';
import { memoryRecordings } from './testing/memory-recordings.js';

const key = Buffer.alloc(32, 7);
const clock = systemClock;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function serve(
  options: GroundOptions & { credit?: number; recordings?: ReturnType<typeof memoryRecordings> } = {},
) {
  const telemetry = captureTelemetry();
  const draining = new AbortController();
  const here = ground({ ...options, clock });
  const server = createServer({ telemetry, interceptors: [requireScope({ key, clock })] });
  server.add(
    policyService,
    policyHandlers({
      judge: here.judge,
      snapshot: () => here.snapshot,
      clock,
      pod: 'policy-1',
      credit: options.credit ?? 256,
      draining: draining.signal,
      recordings: options.recordings ?? memoryRecordings(),
      maxHops: 30,
      maxLineLength: 65_536,
      observer: observeServer(telemetry.log, policyMetrics(telemetry.metrics)),
    }),
  );
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const client = (service: string, tenant = '*') => {
    const made = createClient(PolicyServiceClient, {
      address: `127.0.0.1:${port}`,
      telemetry: captureTelemetry(),
      deadlineMs: 5_000,
      scope: createScopeSource({ service, key, clock, tenant }),
    });
    ends.push(() => made.close());
    return made;
  };
  ends.push(() => server.stop());
  return { server, draining, telemetry, client };
}

/** Collects what a stream says; `next` waits for one more. */
function listen(stream: ClientDuplexStream<SessionRequest, SessionResponse>) {
  const said: SessionResponse[] = [];
  let wake = (): void => undefined;
  stream.on('data', (response: SessionResponse) => {
    said.push(response);
    wake();
  });
  const ended = new Promise<number>((resolve) => stream.on('status', ({ code }: { code: number }) => resolve(code)));
  stream.on('error', () => undefined);
  const next = async (count: number): Promise<SessionResponse[]> => {
    while (said.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return said;
  };
  return { next, ended };
}

const request = (requestId: number, deadlineMs = 2_000, to = ['user@here.test']) =>
  SessionRequest.fromPartial({
    requestId,
    deadlineMs,
    kind: {
      $case: 'evaluate',
      value: { sessionId: `s${requestId}`, sequence: 1, stages: envelopeStages, facts: factsOf({ to }) },
    },
  });

test('a stream: notice first, then verdicts by id', async () => {
  const { client } = await serve();
  const edge = client('edge');
  const stream = edge.duplex(edge.rpc.session);
  const { next, ended } = listen(stream);
  const [notice] = await next(1);
  expect(notice).toMatchObject({
    requestId: 0,
    kind: { $case: 'notice', value: { pod: 'policy-1', credit: 256, draining: false } },
  });
  for (let id = 1; id <= 20; id += 1)
    stream.write(request(id, 2_000, [id % 2 === 0 ? 'user@here.test' : 'no@here.test']));
  stream.write(SessionRequest.fromPartial({ kind: { $case: 'end', value: { sessionId: 's1' } } }));
  const said = (await next(21)).slice(1);
  expect(said.map(({ requestId }) => requestId).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  for (const { requestId, kind } of said) {
    if (kind?.$case !== 'verdict') throw new Error('no verdict');
    expect(kind.value.sessionId).toBe(`s${requestId}`);
    expect(kind.value.recipients[0]?.decision?.action).toBe(requestId % 2 === 0 ? Action.ACCEPT : Action.REJECT);
  }
  stream.end();
  expect(await ended).toBe(0);
});

test('a request that waits is answered by its deadline, and others are not held up by it', async () => {
  const directory: Directory = {
    lookup: (address) => (address.startsWith('slow') ? new Promise(() => undefined) : { kind: 'absent' }),
  };
  const { client } = await serve({ directory });
  const edge = client('edge');
  const stream = edge.duplex(edge.rpc.session);
  const { next } = listen(stream);
  stream.write(request(1, 150, ['slow@here.test']));
  stream.write(request(2));
  const said = await next(3);
  expect(said.map(({ requestId }) => requestId)).toEqual([0, 2, 1]);
  const [, , slow] = said;
  if (slow?.kind?.$case !== 'verdict') throw new Error('no verdict');
  expect(slow.kind.value.recipients[0]?.decision).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451 });
});

test('malformed requests are failures with an id; the stream and the process go on', async () => {
  const { client } = await serve();
  const edge = client('edge');
  const stream = edge.duplex(edge.rpc.session);
  const { next } = listen(stream);
  stream.write(SessionRequest.fromPartial({ requestId: 1 }));
  stream.write(
    SessionRequest.fromPartial({ requestId: 2, kind: { $case: 'evaluate', value: { stages: [Stage.MAIL] } } }),
  );
  stream.write(
    SessionRequest.fromPartial({
      requestId: 3,
      kind: { $case: 'evaluate', value: { stages: [99], facts: factsOf() } },
    }),
  );
  const said = await next(4);
  const ids = said.map(({ requestId, kind }) => [
    requestId,
    kind?.$case === 'failure' ? kind.value.errorId : kind?.$case,
  ]);
  expect(ids.sort()).toEqual([
    [0, 'notice'],
    [1, 'invalid-argument'],
    [2, 'invalid-argument'],
    [3, 'verdict'],
  ]);
});

test('more than the credit is refused as overload', async () => {
  const directory: Directory = { lookup: () => new Promise(() => undefined) };
  const { client } = await serve({ directory, credit: 2 });
  const edge = client('edge');
  const stream = edge.duplex(edge.rpc.session);
  const { next } = listen(stream);
  for (const id of [1, 2, 3]) stream.write(request(id, 300));
  const said = await next(2);
  expect(said[1]).toMatchObject({ requestId: 3, kind: { $case: 'failure', value: { errorId: 'overload' } } });
  expect(await next(4)).toHaveLength(4);
});

test('drain: a notice, the answer outstanding, the end', async () => {
  const release = Promise.withResolvers<void>();
  const inner = memoryDirectory({ 'user@here.test': 'user' });
  const asked = Promise.withResolvers<void>();
  const directory: Directory = {
    lookup: async (address) => {
      asked.resolve();
      await release.promise;
      return inner.lookup(address);
    },
  };
  const { client, draining, server } = await serve({ directory });
  const edge = client('edge');
  const stream = edge.duplex(edge.rpc.session);
  const { next, ended } = listen(stream);
  stream.write(request(1));
  await asked.promise;
  draining.abort();
  const drained = server.drain(5_000);
  const [, notice] = await next(2);
  expect(notice).toMatchObject({ kind: { $case: 'notice', value: { draining: true } } });
  release.resolve();
  const [, , verdict] = await next(3);
  expect(verdict).toMatchObject({ requestId: 1, kind: { $case: 'verdict' } });
  expect(await ended).toBe(0);
  await drained;
});

test('who may call what', async () => {
  const { client } = await serve();
  const ask = EvaluateRequest.fromPartial({ stages: [Stage.CONNECT], facts: factsOf() });
  const described = SimulateRequest.fromPartial({ facts: factsOf(), tenant: 't1' });
  const [edge, provisioning, one] = [client('edge'), client('provisioning'), client('provisioning', 't1')];
  await expect(edge.call(edge.rpc.evaluate, ask)).resolves.toMatchObject({ pod: 'policy-1' });
  await expect(edge.call(edge.rpc.simulate, described)).rejects.toMatchObject({ id: 'permission-denied' });
  await expect(provisioning.call(provisioning.rpc.simulate, described)).resolves.toMatchObject({
    stages: expect.any(Array),
  });
  await expect(one.call(one.rpc.simulate, described)).resolves.toMatchObject({ stages: expect.any(Array) });
  await expect(one.call(one.rpc.simulate, { ...described, tenant: 't2' })).rejects.toMatchObject({
    id: 'permission-denied',
  });
  await expect(one.call(one.rpc.simulate, { ...described, tenant: '' })).rejects.toMatchObject({
    id: 'permission-denied',
  });
  const { ended } = listen(provisioning.duplex(provisioning.rpc.session));
  expect(await ended).toBe(7);
  const queue = client('queue');
  await expect(queue.call(queue.rpc.evaluate, ask)).rejects.toMatchObject({ id: 'permission-denied' });
  await expect(queue.call(queue.rpc.evaluate, ask, { scope: 'forged.token' })).rejects.toMatchObject({
    id: 'unauthenticated',
  });
});

test.each([
  [
    'a recipient of another tenant',
    { tenant: 't1', facts: factsOf({ to: [{ address: 'x@two.test', tenant: 't2' }] }) },
  ],
  ['a domain of another tenant', { tenant: 't1', facts: factsOf({ to: [{ address: 'x@two.test', tenant: 't1' }] }) }],
  ['the login of another tenant', { tenant: 't1', facts: factsOf({ tenant: 't2' }) }],
])('a tenant does not simulate %s', async (_what, described) => {
  const domains = [
    { name: 'here.test', tenant: 't1', validateRecipients: true },
    { name: 'two.test', tenant: 't2', validateRecipients: true },
  ];
  const { client, telemetry } = await serve({ snapshot: { domains } });
  const one = client('provisioning', 't1');
  const asked = one.call(one.rpc.simulate, SimulateRequest.fromPartial(described));
  await expect(asked).rejects.toMatchObject({ id: 'permission-denied' });
  expect(telemetry.events('policy.request.failed')).toEqual([]);
});

test('a recording there is none of is no fault of this pod', async () => {
  const { client, telemetry } = await serve();
  const provisioning = client('provisioning', 't1');
  const described = { tenant: 't1', recorded: '01NONE' };
  await expect(
    provisioning.call(provisioning.rpc.simulate, SimulateRequest.fromPartial(described)),
  ).rejects.toMatchObject({ id: 'not-found' });
  expect(telemetry.events('policy.request.failed')).toEqual([]);
});

test('a client that ends its side still gets every answer', async () => {
  const { client } = await serve();
  const edge = client('edge');
  const stream = edge.duplex(edge.rpc.session);
  const { next, ended } = listen(stream);
  for (let id = 1; id <= 5; id += 1) stream.write(request(id));
  stream.end();
  expect(await next(6)).toHaveLength(6);
  expect(await ended).toBe(0);
});

test('content of 30 MB in chunks, judged at its end', async () => {
  const { client } = await serve({
    rules: [{ event: 'body', when: 'message.size > 30000000', then: [{ reject: { text: 'big' } }] }],
  });
  const edge = client('edge');
  const { stream, response } = edge.upload(edge.rpc.content, { deadlineMs: 20_000 });
  const send = (kind: ContentRequest['kind']): Promise<void> =>
    new Promise((resolve) =>
      stream.write(ContentRequest.fromPartial({ kind })) ? resolve() : stream.once('drain', resolve),
    );
  const start = EvaluateRequest.fromPartial({ stages: [Stage.HEADERS, Stage.BODY], facts: factsOf({ asked: false }) });
  await send({ $case: 'start', value: start });
  const header = Buffer.from('From: a@sender.test\r\n\r\n');
  await send({ $case: 'chunk', value: header });
  const chunk = Buffer.alloc(65_536, 'x');
  for (let at = 0; at < 480; at += 1) await send({ $case: 'chunk', value: chunk });
  await send({ $case: 'end', value: { size: header.length + 480 * chunk.length, deadlineMs: 0 } });
  stream.end();
  expect((await response).verdict?.decision).toMatchObject({ action: Action.REJECT, text: 'big' });
});

test('content that breaks off is a failure', async () => {
  const { client } = await serve();
  const edge = client('edge');
  const { stream, response } = edge.upload(edge.rpc.content);
  stream.write(ContentRequest.fromPartial({ kind: { $case: 'chunk', value: Buffer.from('x') } }));
  stream.end();
  await expect(response).rejects.toMatchObject({ id: 'invalid-argument' });
});

test('content that is given up is logged with its session', async () => {
  const { client, telemetry } = await serve();
  const edge = client('edge');
  const { stream, response } = edge.upload(edge.rpc.content);
  const start = { sessionId: '01SESSION', stages: [Stage.HEADERS, Stage.BODY], facts: factsOf({ asked: false }) };
  stream.write(ContentRequest.fromPartial({ kind: { $case: 'start', value: EvaluateRequest.fromPartial(start) } }));
  stream.end();
  await expect(response).rejects.toMatchObject({ id: 'cancelled' });
  expect(telemetry.events('policy.request.failed')).toMatchObject([{ session_id: '01SESSION', error_id: 'cancelled' }]);
});

test('simulation gives the verdict of each stage and ends where mail would', async () => {
  const { client } = await serve({
    rules: [{ event: 'headers', when: 'headers.first("Subject") == "x"', then: [{ reject: { text: 'x' } }] }],
  });
  const provisioning = client('provisioning');
  const simulate = (facts: Parameters<typeof factsOf>[0], content: string) =>
    provisioning.call(
      provisioning.rpc.simulate,
      SimulateRequest.fromPartial({ facts: factsOf(facts), content: Buffer.from(content) }),
    );
  const whole = await simulate({ to: ['user@here.test', 'no@here.test'] }, 'Subject: x\r\n\r\nbody');
  expect(whole.stages.map(({ decision }) => decision?.action)).toEqual([1, 1, 1, 1, 2]);
  expect(whole.stages.at(-1)?.decision?.text).toBe('x');
  const unknown = await simulate({ to: ['no@here.test'] }, 'Subject: x\r\n\r\nbody');
  expect(unknown.stages).toHaveLength(4);
});

test('rules are tried in simulation, in place of the saved one, and change nothing', async () => {
  const saved = { event: 'mail', then: [{ reject: { text: 'saved' } }] };
  const { client } = await serve({ rules: [saved] });
  const provisioning = client('provisioning');
  const simulate = (candidates: readonly object[]) =>
    provisioning.call(
      provisioning.rpc.simulate,
      SimulateRequest.fromPartial({ facts: factsOf({ to: ['user@here.test'] }), candidates: [...candidates] }),
    );
  const candidate = (document: object) => ({
    id: 'r1',
    version: 1,
    scope: 'server',
    document: JSON.stringify({ id: 'r1', ...document }),
  });
  const textOf = async (candidates: readonly object[]) => (await simulate(candidates)).stages.at(-1)?.decision?.text;
  expect(await textOf([])).toBe('saved');
  const tried = await textOf([candidate({ event: 'ehlo', then: [{ reject: { text: 'tried' } }] })]);
  expect(tried).toBe('tried');
  expect(await textOf([])).toBe('saved');
  await expect(simulate([candidate({ event: 'ehlo', then: [] })])).rejects.toMatchObject({ id: 'invalid-argument' });
  await expect(
    client('provisioning', 't1').call(
      provisioning.rpc.simulate,
      SimulateRequest.fromPartial({ tenant: 't1', facts: factsOf({}), candidates: [candidate(saved)] }),
    ),
  ).rejects.toMatchObject({ id: 'permission-denied' });
});

test('contents of a recording are told as far as they fit in an answer; what does not says so', async () => {
  const recordings = memoryRecordings();
  const bounds = { sessions: 10, bytes: 100_000_000, ageMs: 1_000 };
  for (const size of [0, 1_000_000, 1_000_000, 1_000_000]) {
    const step = RecordedStep.fromPartial({ request: { content: Buffer.alloc(size, 0x61) } });
    await recordings.append('t1', 'S1', step, bounds);
  }
  const provisioning = (await serve({ recordings })).client('provisioning', 't1');
  const query = { tenant: 't1', sessionId: 'S1' };
  const { recording } = await provisioning.call(provisioning.rpc.getRecording, query);
  expect(recording?.steps.map(({ request, contentMissing }) => [request?.content.length, contentMissing])).toEqual([
    [0, false],
    [1_000_000, false],
    [1_000_000, false],
    [0, true],
  ]);
});
