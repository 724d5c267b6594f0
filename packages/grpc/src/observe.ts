/**
 * Server interceptor, outermost: counts and times calls, continues the caller's trace, logs what failed inside.
 * A call the client left is counted as CANCELLED even when the handler never answers.
 */
import type { Clock } from '@postern/clock';
import { boundedLabel, defineEvents, type Logger, perMetrics, type Telemetry } from '@postern/telemetry';
import {
  type PartialStatusObject,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerMethodDefinition,
  status,
} from './grpc-js.js';
import { causeOf, statusName, statusNames } from './status.js';

export const grpcEvents = defineEvents('grpc', {
  'grpc.call.failed': 'A handler threw what it should not have; the caller got `internal`.',
  'grpc.server.bound': 'The server listens.',
  'grpc.server.drained': 'The server has no calls left, or gave up waiting for them.',
});

export const traceparentKey = 'traceparent';

export const serverMetrics = perMetrics((metrics) => ({
  requests: metrics.counter({
    name: 'postern_grpc_server_requests_total',
    help: 'Calls answered, by service, method and status code.',
    labels: { service: boundedLabel(32), method: boundedLabel(128), code: statusNames },
  }),
  seconds: metrics.histogram({
    name: 'postern_grpc_server_request_seconds',
    help: 'Time from the request to its status; streams are not in it.',
    labels: { service: boundedLabel(32), method: boundedLabel(128) },
  }),
  open: metrics.gauge({ name: 'postern_grpc_server_calls_open', help: 'Calls in progress, streams included.' }),
}));

export function observeCalls(telemetry: Telemetry, clock: Clock): ServerInterceptor {
  const metrics = serverMetrics(telemetry.metrics);
  const log: Logger<keyof typeof grpcEvents> = telemetry.log;
  return (method, call) => {
    const { service, name } = splitPath(method.path);
    const begun = clock.monotonic();
    const streaming = isStreaming(method);
    let ended = false;
    metrics.open.inc();
    const end = (code: number | null | undefined): void => {
      if (ended) return;
      ended = true;
      metrics.open.dec();
      metrics.requests.with({ service, method: name, code: statusName(code) }).inc();
      if (!streaming) metrics.seconds.with({ service, method: name }).observe((clock.monotonic() - begun) / 1000);
    };
    const tracer = telemetry.tracer;
    let span = tracer.startSpan(method.path);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const [traceparent] = metadata.get(traceparentKey);
            if (typeof traceparent === 'string') span = tracer.startSpan(method.path, {}, traceparent);
            tracer.run(span, () => pass(metadata));
          },
          onReceiveMessage: (message, pass) => tracer.run(span, () => pass(message)),
          onReceiveHalfClose: (pass) => tracer.run(span, () => pass()),
          onCancel: () => {
            end(status.CANCELLED);
            span.end();
          },
        }),
      sendStatus: (sent: PartialStatusObject, next) => {
        end(sent.code);
        const cause = causeOf(sent);
        if (cause !== undefined) span.fail(cause);
        if (cause?.id === 'internal') log.error('grpc.call.failed', { method: method.path, error: cause });
        span.end();
        next(sent);
      },
    });
  };
}

/** `/postern.queue.v1.QueueService/Trace` in its two parts. */
export function splitPath(path: string): { readonly service: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { service: path.slice(1, slash), name: path.slice(slash + 1) };
}

function isStreaming<Q, R>(method: ServerMethodDefinition<Q, R>): boolean {
  return method.requestStream || method.responseStream;
}
