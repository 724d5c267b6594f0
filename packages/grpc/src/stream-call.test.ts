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
import { captureTelemetry } from '@postern/telemetry/testing';
import { describe, expect, test } from 'vitest';
import { createClient } from './client.js';
import { Client, type Metadata } from './grpc-js.js';
import { bidirectional, clientStreaming, serverStreaming, unary } from './handlers.js';
import { createServer, type Handlers } from './server.js';
import { balanced, bound, cleanups, queueClient, serve, unused } from './testing/queue-ground.js';

describe('streams', () => {
  async function policy(handlers: Partial<Handlers<typeof PolicyServiceService>>) {
    const telemetry = captureTelemetry('policy');
    const server = createServer({ telemetry }).add(PolicyServiceService, {
      session: bidirectional(async () => undefined),
      content: clientStreaming(() => Promise.reject(new PosternError('unimplemented'))),
      evaluate: unused,
      simulate: unused,
      listRecordings: unused,
      getRecording: unused,
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
