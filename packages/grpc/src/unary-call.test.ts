import { systemClock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import { type LedgerRequest, LedgerResponse, QueueServiceService } from '@postern/proto/queue/v1/queue_service';
import { describe, expect, test } from 'vitest';
import { Client, credentials } from './grpc-js.js';
import { unary } from './handlers.js';
import { requireScope } from './require-scope.js';
import { createScopeSource } from './scope.js';
import { balanced, cleanups, freePort, health, key, queueClient, serve } from './testing/queue-ground.js';

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
