import { readFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { systemClock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import {
  ContentRequest,
  ContentResponse,
  PolicyServiceClient,
  PolicyServiceService,
  SessionRequest,
  SessionResponse,
} from '@postern/proto/policy/v1/policy_service';
import {
  LedgerRequest,
  LedgerResponse,
  QueueServiceClient,
  QueueServiceService,
} from '@postern/proto/queue/v1/queue_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { createClient, type GrpcClient, targetOf } from './client.js';
import { Client, credentials, type Metadata } from './grpc-js.js';
import { bidirectional, clientStreaming, serverStreaming, unary } from './handlers.js';
import { requireScope } from './require-scope.js';
import { createScopeSource } from './scope.js';
import { createServer, type GrpcServer, type Handlers, type ServerOptions } from './server.js';

const key = Buffer.alloc(32, 1);
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const unused = unary<unknown, never>(() => {
  throw new PosternError('unimplemented');
});

type QueueHandlers = Handlers<typeof QueueServiceService>;

const emptyQueue: QueueHandlers = {
  summary: unused,
  listItems: unused,
  operate: unused,
  trace: unused,
  ledger: unused,
};

async function serve(handlers: Partial<QueueHandlers>, options: Partial<ServerOptions> = {}) {
  const telemetry = captureTelemetry('queue');
  const server = createServer({ telemetry, ...options }).add(QueueServiceService, { ...emptyQueue, ...handlers });
  return { server, telemetry, port: await bound(server) };
}

async function bound(server: GrpcServer): Promise<number> {
  cleanups.push(() => server.stop());
  return await server.listen({ host: '127.0.0.1', port: 0 });
}

function queueClient(port: number, options: Partial<Parameters<typeof createClient>[1]> = {}) {
  const telemetry = captureTelemetry('provisioning');
  const client = createClient(QueueServiceClient, {
    address: `127.0.0.1:${port}`,
    telemetry,
    deadlineMs: 5000,
    ...options,
  });
  cleanups.push(() => client.close());
  return { client, telemetry, ledger: ledgerOf(client) };
}

function ledgerOf(client: GrpcClient<QueueServiceClient>) {
  return (tenant: string, per = {}) => client.call(client.rpc.ledger, LedgerRequest.fromPartial({ tenant }), per);
}

test('a request that cannot be read is invalid-argument, is counted, and never reaches the handler', async () => {
  let reached = 0;
  const { port, telemetry } = await serve({
    ledger: unary(() => {
      reached++;
      return balanced;
    }),
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  cleanups.push(() => client.close());
  const code = await new Promise((resolve) => {
    const { path } = QueueServiceService.ledger;
    client.makeUnaryRequest(
      path,
      () => Buffer.from([0x0a, 0xff]),
      () => undefined,
      {},
      (error) => resolve(error?.code),
    );
  });
  expect([code, reached]).toEqual([3, 0]);
  expect(await telemetry.metrics.text()).toMatch(/requests_total\{.*code="INVALID_ARGUMENT".*\} 1/);
});

const balanced = LedgerResponse.fromPartial({ balanced: true });

describe('a unary call', () => {
  test('carries request and response, is counted on both sides', async () => {
    const { port, telemetry } = await serve({
      ledger: unary((request) => LedgerResponse.fromPartial({ balanced: request.tenant === 'acme' })),
    });
    const { ledger, telemetry: calling } = queueClient(port);
    expect((await ledger('acme')).balanced).toBe(true);
    const labels = '{service="postern.queue.v1.QueueService",method="Ledger",code="OK"} 1';
    expect(await telemetry.metrics.text()).toContain(`postern_grpc_server_requests_total${labels}`);
    expect(await calling.metrics.text()).toContain(`postern_grpc_client_requests_total${labels}`);
    expect(await telemetry.metrics.text()).toContain('postern_grpc_server_calls_open 0');
  });

  test.each([
    ['not-found', 'no tenant x', 'no tenant x'],
    ['failed-precondition', 'the etag is not the current one: "ü"', 'the etag is not the current one: "ü"'],
    ['overload', '', ''],
    ['message-too-large', '', ''],
  ] as const)('an error %s crosses with id and detail', async (id, detail, expected) => {
    const { port, telemetry } = await serve({
      ledger: unary(() => {
        throw new PosternError(id, detail, { cause: new Error('private cause') });
      }),
    });
    const failure = await queueClient(port)
      .ledger('x')
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PosternError);
    expect(failure).toMatchObject({ id, detail: expected });
    expect(JSON.stringify(failure)).not.toContain('private cause');
    expect(telemetry.events('grpc.call.failed')).toHaveLength(0);
  });

  test('anything else is internal outside and logged with its cause inside', async () => {
    const { port, telemetry } = await serve({
      ledger: unary(async () => {
        throw new TypeError('secret internals');
      }),
    });
    const failure = await queueClient(port)
      .ledger('x')
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ id: 'internal', detail: '' });
    expect(String(failure)).not.toContain('secret internals');
    expect(telemetry.events('grpc.call.failed')[0]).toMatchObject({
      method: '/postern.queue.v1.QueueService/Ledger',
      error: { id: 'internal', cause: { message: 'secret internals' } },
    });
  });

  test('a passed deadline is deadline-exceeded here and aborts the signal there', async () => {
    const aborted = Promise.withResolvers<unknown>();
    const { port } = await serve({
      ledger: unary(async (_request, { signal }) => {
        await systemClock.sleep(60_000, signal).catch((reason: unknown) => aborted.resolve(reason));
        return balanced;
      }),
    });
    await expect(queueClient(port).ledger('x', { deadlineMs: 50 })).rejects.toMatchObject({ id: 'deadline-exceeded' });
    expect(await aborted.promise).toMatchObject({ id: 'cancelled' });
  });

  test('an aborted signal cancels the call, there too', async () => {
    const arrived = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const { port } = await serve({
      ledger: unary(async (_request, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve());
        arrived.resolve();
        await aborted.promise;
        return balanced;
      }),
    });
    const controller = new AbortController();
    const call = queueClient(port).ledger('x', { signal: controller.signal });
    await arrived.promise;
    controller.abort();
    await expect(call).rejects.toMatchObject({ id: 'cancelled' });
    await aborted.promise;
  });

  test('an unreachable service is what the client calls it', async () => {
    const { ledger } = queueClient(await freePort(), { unavailable: 'policy-unavailable' });
    await expect(ledger('x')).rejects.toMatchObject({ id: 'policy-unavailable', temporary: true });
  });

  test('the trace of the caller goes on in the handler', async () => {
    const traceId = 'c'.repeat(32);
    const seen = Promise.withResolvers<string | undefined>();
    const { port, telemetry } = await serve({
      ledger: unary(async () => {
        await Promise.resolve();
        seen.resolve(telemetry.tracer.current()?.traceId);
        return balanced;
      }),
    });
    const { ledger, telemetry: calling } = queueClient(port);
    await calling.tracer.withRemoteParent(`00-${traceId}-${'d'.repeat(16)}-00`, () => ledger('x'));
    expect(await seen.promise).toBe(traceId);
  });

  test('a message above the limit is a local fault, not a judgement', async () => {
    const { port } = await serve({ ledger: unary(() => balanced) }, { maxMessageBytes: 1000 });
    await expect(queueClient(port).ledger('x'.repeat(2000))).rejects.toMatchObject({ id: 'overload' });
  });
});

describe('requireScope', () => {
  const scoped = {
    interceptors: [requireScope({ key, clock: systemClock, services: ['provisioning'], anyRole: ['admin'] })],
  };
  const source = (service: string, roles: string[], tenant = 'acme', usedKey: Buffer = key) =>
    createScopeSource({ service, roles, tenant, key: usedKey, clock: systemClock });
  const handlers = {
    ledger: unary<LedgerRequest, LedgerResponse>((request, context) => {
      context.assertTenant(request.tenant);
      return LedgerResponse.fromPartial({ rows: [{ tenant: context.scope.tenant }] });
    }),
  };

  test.each([
    ['no scope', undefined, 'acme', 'unauthenticated'],
    ['another key', source('provisioning', ['admin'], 'acme', Buffer.alloc(32, 9)), 'acme', 'unauthenticated'],
    ['another service', source('edge', ['admin']), 'acme', 'permission-denied'],
    ['another role', source('provisioning', ['reader']), 'acme', 'permission-denied'],
    ['another tenant', source('provisioning', ['admin']), 'other', 'permission-denied'],
  ])('%s is refused', async (_name, scope, tenant, id) => {
    const { port } = await serve(handlers, scoped);
    await expect(queueClient(port, scope ? { scope } : {}).ledger(tenant)).rejects.toMatchObject({ id });
  });

  test('the handler sees the verified scope', async () => {
    const { port } = await serve(handlers, scoped);
    const { ledger } = queueClient(port, { scope: source('provisioning', ['admin']) });
    expect((await ledger('acme')).rows[0]?.tenant).toBe('acme');
  });

  test('a server without the requirement has no scope to give', async () => {
    const { port } = await serve(handlers);
    const { ledger } = queueClient(port, { scope: source('provisioning', ['admin']) });
    await expect(ledger('acme')).rejects.toMatchObject({ id: 'unauthenticated' });
  });

  test('health stays open, and follows setServing', async () => {
    const { port, server } = await serve(handlers, scoped);
    expect(await health(port)).toBe(1);
    expect(await health(port, 'postern.queue.v1.QueueService')).toBe(1);
    server.setServing(false);
    expect(await health(port)).toBe(2);
  });
});

describe('streams', () => {
  async function policy(handlers: Partial<Handlers<typeof PolicyServiceService>>) {
    const telemetry = captureTelemetry('policy');
    const server = createServer({ telemetry }).add(PolicyServiceService, {
      session: bidirectional(async () => undefined),
      content: clientStreaming(() => Promise.reject(new PosternError('unimplemented'))),
      evaluate: unused,
      simulate: unused,
      ...handlers,
    });
    const address = `127.0.0.1:${await bound(server)}`;
    const client = createClient(PolicyServiceClient, {
      address,
      telemetry: captureTelemetry('edge'),
      deadlineMs: 5000,
    });
    cleanups.push(() => client.close());
    return { client, server };
  }

  test('client streaming: chunks in, one answer out', async () => {
    let bytes = 0;
    const { client } = await policy({
      content: clientStreaming(async (requests) => {
        for await (const { kind } of requests) if (kind?.$case === 'chunk') bytes += kind.value.length;
        return ContentResponse.fromPartial({});
      }),
    });
    const { stream, response } = client.upload(client.rpc.content);
    for (let i = 0; i < 10; i++)
      stream.write(ContentRequest.fromPartial({ kind: { $case: 'chunk', value: Buffer.alloc(1000) } }));
    stream.end();
    await response;
    expect(bytes).toBe(10_000);
  });

  test('client streaming: a refusal before the end reaches the response', async () => {
    const { client } = await policy({
      content: clientStreaming(() => Promise.reject(new PosternError('overload', 'no room'))),
    });
    const { stream, response } = client.upload(client.rpc.content);
    stream.write(ContentRequest.fromPartial({ kind: { $case: 'chunk', value: Buffer.alloc(10) } }));
    await expect(response).rejects.toMatchObject({ id: 'overload', detail: 'no room' });
  });

  test('two ways: answers carry the ids of their requests; the end is an end on both sides', async () => {
    const { client } = await policy({
      session: bidirectional(async (stream) => {
        for await (const request of stream) {
          if (request instanceof Object && 'requestId' in request) {
            stream.write(SessionResponse.fromPartial({ requestId: Number(request.requestId) * 10 }));
          }
        }
      }),
    });
    const stream = client.duplex(client.rpc.session);
    const answers: number[] = [];
    stream.on('data', (response: SessionResponse) => answers.push(response.requestId));
    const ended = new Promise((resolve) => stream.once('end', resolve));
    for (const requestId of [1, 2, 3]) stream.write(SessionRequest.fromPartial({ requestId }));
    stream.end();
    await ended;
    expect(answers).toEqual([10, 20, 30]);
  });

  test('two ways: what the handler throws is the error of the stream', async () => {
    const { client } = await policy({
      session: bidirectional(() => Promise.reject(new PosternError('draining'))),
    });
    const stream = client.duplex(client.rpc.session);
    const failure = await new Promise((resolve) => stream.once('error', resolve));
    expect(client.errorOf(failure)).toMatchObject({ id: 'draining' });
  });

  test('a call in progress is finished by the drain, new ones are refused', async () => {
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const { server, port } = await serve({
      ledger: unary(async () => {
        arrived.resolve();
        await go.promise;
        return balanced;
      }),
    });
    const { ledger } = queueClient(port);
    const call = ledger('x');
    await arrived.promise;
    const drained = server.drain(5000);
    go.resolve();
    expect((await call).balanced).toBe(true);
    await drained;
    await expect(ledger('x', { deadlineMs: 500 })).rejects.toBeInstanceOf(PosternError);
  });

  test('a drain that takes too long cuts what is left', async () => {
    const arrived = Promise.withResolvers<void>();
    const { server, port, telemetry } = await serve({
      ledger: unary(async (_request, { signal }) => {
        arrived.resolve();
        await systemClock.sleep(60_000, signal);
        return balanced;
      }),
    });
    const call = queueClient(port).ledger('x');
    await arrived.promise;
    await Promise.all([server.drain(20), expect(call).rejects.toBeInstanceOf(PosternError)]);
    expect(telemetry.events('grpc.server.drained')[0]).toMatchObject({ complete: false });
  });
});

describe('server streaming', () => {
  const text = { serialize: (value: string) => Buffer.from(value), deserialize: (bytes: Buffer) => bytes.toString() };
  const definition = {
    tail: {
      path: '/test.v1.TailService/Tail',
      requestStream: false,
      responseStream: true,
      requestSerialize: text.serialize,
      requestDeserialize: text.deserialize,
      responseSerialize: text.serialize,
      responseDeserialize: text.deserialize,
    },
  } as const;

  class TailClient extends Client {
    static readonly service = definition;
    static readonly serviceName = 'test.v1.TailService';
    readonly tail = (request: string, metadata: Metadata, options = {}) => {
      const { path, requestSerialize, responseDeserialize } = definition.tail;
      return this.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata, options);
    };
  }

  async function tailing(handle: (send: (line: string) => Promise<void>, signal: AbortSignal) => Promise<void>) {
    const server = createServer({ telemetry: captureTelemetry() }).add(definition, {
      tail: serverStreaming<string, string>((_request, send, { signal }) => handle(send, signal)),
    });
    const address = `127.0.0.1:${await bound(server)}`;
    const client = createClient(TailClient, { address, telemetry: captureTelemetry(), deadlineMs: 5000 });
    cleanups.push(() => client.close());
    return client;
  }

  test('every line arrives in order, more than a window of them', async () => {
    const line = 'x'.repeat(10_000);
    const client = await tailing(async (send) => {
      for (let i = 0; i < 50; i++) await send(`${i} ${line}`);
    });
    const seen: string[] = [];
    for await (const text of client.download(client.rpc.tail, 'all')) seen.push(text.split(' ')[0] ?? '');
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  test('leaving the loop stops the sender', async () => {
    const stopped = Promise.withResolvers<void>();
    const client = await tailing(async (send, signal) => {
      signal.addEventListener('abort', () => stopped.resolve());
      while (!signal.aborted) await send('x'.repeat(50_000));
    });
    for await (const _line of client.download(client.rpc.tail, 'all')) break;
    await stopped.promise;
  });

  test('an error after some lines is thrown by the loop', async () => {
    const client = await tailing(async (send) => {
      await send('one');
      throw new PosternError('store-unavailable');
    });
    const read = async () => {
      for await (const _line of client.download(client.rpc.tail, 'all'));
    };
    await expect(read()).rejects.toMatchObject({ id: 'store-unavailable' });
  });
});

test('TLS with client certificates', async () => {
  const pki = testCertificates();
  const { port } = await serve(
    { ledger: unary(() => balanced) },
    { tls: { cert: pki.cert, key: pki.key, clientCa: pki.cert } },
  );
  const address = `localhost:${port}`;
  const known = queueClient(port, { address, tls: { ca: pki.cert, cert: pki.cert, key: pki.key } });
  expect((await known.ledger('x')).balanced).toBe(true);
  const unknown = queueClient(port, { address, tls: { ca: pki.cert } });
  await expect(unknown.ledger('x', { deadlineMs: 1000 })).rejects.toBeInstanceOf(PosternError);
});

test.each([
  ['name:1', 'dns:///name:1'],
  ['dns:///name:1', 'dns:///name:1'],
  [['10.0.0.1:1', '10.0.0.2:1'], 'ipv4:10.0.0.1:1,10.0.0.2:1'],
  [['[::1]:1', '[::2]:1'], 'ipv6:[::1]:1,[::2]:1'],
])('targetOf(%j) = %s', (address, target) => expect(targetOf(address)).toBe(target));

test.each([[[]], [['a:1', 'b:1']], [['10.0.0.1:1', '[::1]:1']]])('targetOf(%j) is refused', (address) => {
  expect(() => targetOf(address)).toThrow(PosternError);
});

interface HealthReply {
  readonly status: number;
}

/** A hand-made client of grpc.health.v1: field 1 of both messages is all there is. */
async function health(port: number, service = ''): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const encode = (name: string) => Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
  const decode = (bytes: Buffer): HealthReply => ({ status: bytes[1] ?? 0 });
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', encode, decode, service, (error, reply) => {
        if (error || !reply) reject(error ?? new Error('no reply'));
        else resolve(reply.status);
      });
    });
  } finally {
    client.close();
  }
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Made once for these tests, valid for a hundred years; trusted by nobody else. */
function testCertificates(): { readonly cert: Buffer; readonly key: Buffer } {
  const read = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
  return { cert: read('localhost.crt'), key: read('localhost.key') };
}

describe('reflection', () => {
  test('is offered from a descriptor set, and a broken one is refused at the start', async () => {
    const descriptorSet = readFileSync(new URL('../../../proto/baseline.binpb', import.meta.url));
    const { port } = await serve({}, { descriptorSet });
    expect(await reflectedServices(port)).toContain('postern.queue.v1.QueueService');
    for (const broken of [descriptorSet.subarray(1), descriptorSet.subarray(0, 2), Buffer.from([0x0a, 0xff])]) {
      await expect(serve({}, { descriptorSet: broken })).rejects.toMatchObject({ id: 'config-invalid' });
    }
  });
});

/** list_services of grpc.reflection.v1: field 7 of the request; names are read from the answer as text. */
async function reflectedServices(port: number): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const stream = client.makeBidiStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes.toString('latin1'),
    );
    const answer = new Promise<string>((resolve, reject) => {
      stream.once('data', (text: string) => resolve(text));
      stream.once('error', reject);
    });
    stream.write(Buffer.from([0x3a, 0x01, 0x2a]));
    const text = await answer;
    stream.end();
    return text;
  } finally {
    client.close();
  }
}
