/**
 * A gRPC client with promise-style calls: every call has a deadline, carries trace and scope, is counted, and fails
 * with a PosternError. Nothing is retried here: whether a call may be repeated is known to the caller alone.
 */
import { isIP } from 'node:net';
import { type Clock, systemClock } from '@postern/clock';
import { type ErrorId, PosternError } from '@postern/errors';
import type { Telemetry } from '@postern/telemetry';
import { ClientMetrics } from './client-metrics.js';
import {
  type CallOptions,
  type ChannelOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  credentials,
  Metadata,
  type ServiceDefinition,
  type ServiceError,
} from './grpc-js.js';
import { traceparentKey } from './observe.js';
import { scopeKeyName } from './scope.js';
import { errorOf } from './status.js';

export interface ClientTls {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface ClientOptions {
  /** `dns:///name:port` (every address behind the name, in turn), `host:port`, or a list of `ip:port`. */
  readonly address: string | readonly string[];
  readonly telemetry: Telemetry;
  /** For calls that name none. */
  readonly deadlineMs: number;
  readonly tls?: ClientTls;
  /** Token sent as the scope; see createScopeSource. */
  readonly scope?: () => string;
  /** What an unreachable callee is called: `policy-unavailable`. */
  readonly unavailable?: ErrorId;
  readonly maxMessageBytes?: number;
  /** How soon a server that is silent, its connection open, is noticed; milliseconds. Default 20,000 and 5,000. */
  readonly keepalive?: { readonly everyMs: number; readonly answerMs: number };
  readonly clock?: Clock;
}

export interface PerCall {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Instead of the client's own scope. */
  readonly scope?: string;
}

/** What ts-proto generates for a service. */
export interface ServiceClientClass<C extends Client> {
  new (address: string, channelCredentials: ReturnType<typeof credentials.createInsecure>, options?: ChannelOptions): C;
  readonly service: ServiceDefinition;
  readonly serviceName: string;
}

type Reply<R> = (error: ServiceError | null, response: R) => void;
type UnaryMethod<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  reply: Reply<R>,
) => ClientUnaryCall;
type UploadMethod<Q, R> = (
  metadata: Metadata,
  options: Partial<CallOptions>,
  reply: Reply<R>,
) => ClientWritableStream<Q>;
type DownloadMethod<Q, R> = (request: Q, metadata: Metadata, options?: Partial<CallOptions>) => ClientReadableStream<R>;
type DuplexMethod<Q, R> = (metadata: Metadata, options?: Partial<CallOptions>) => ClientDuplexStream<Q, R>;

const defaultMessageBytes = 4 * 1_048_576;

export class GrpcClient<C extends Client> {
  /** The generated client; its methods are what call() and the others are given. */
  readonly rpc: C;
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #metrics: ClientMetrics;

  constructor(serviceClient: ServiceClientClass<C>, options: ClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.rpc = new serviceClient(targetOf(options.address), channelCredentials(options.tls), channelOptions(options));
    this.#metrics = new ClientMetrics(options.telemetry.metrics, this.#clock, this.rpc, serviceClient);
  }

  /** `await queue.call(queue.rpc.trace, request, { deadlineMs: 500 })` */
  call<Q, R>(method: UnaryMethod<Q, R>, request: Q, per: PerCall = {}): Promise<R> {
    const done = this.#metrics.begin(method);
    return new Promise((resolve, reject) => {
      const call = method.call(this.rpc, request, this.metadata(per), this.#callOptions(per), (failure, response) => {
        release();
        done(failure);
        if (failure) reject(errorOf(failure, this.#options.unavailable));
        else resolve(response);
      });
      const release = cancelOn(per.signal, call);
    });
  }

  /** Client streaming: write to `stream`, end it, await `response`. Await or catch `response` in every case. */
  upload<Q, R>(
    method: UploadMethod<Q, R>,
    per: PerCall = {},
  ): { readonly stream: ClientWritableStream<Q>; readonly response: Promise<R> } {
    const done = this.#metrics.begin(method);
    const answer = Promise.withResolvers<R>();
    const stream = method.call(this.rpc, this.metadata(per), this.#callOptions(per), (failure, response) => {
      release();
      done(failure);
      if (failure) answer.reject(errorOf(failure, this.#options.unavailable));
      else answer.resolve(response);
    });
    // The failure reaches `response`; without a listener the stream would throw it a second time.
    stream.on('error', () => undefined);
    const release = cancelOn(per.signal, stream);
    return { stream, response: answer.promise };
  }

  /** Server streaming as `for await`; leaving the loop cancels the call. */
  async *download<Q, R>(method: DownloadMethod<Q, R>, request: Q, per: PerCall = {}): AsyncGenerator<R> {
    const done = this.#metrics.begin(method);
    const stream = method.call(this.rpc, request, this.metadata(per), this.#callOptions(per));
    const release = cancelOn(per.signal, stream);
    let failure: ServiceError | null = null;
    stream.on('error', (error) => {
      failure = isServiceError(error) ? error : null;
    });
    try {
      for await (const response of readAll<R>(stream)) yield response;
    } catch (error) {
      throw isServiceError(error) ? errorOf(error, this.#options.unavailable) : error;
    } finally {
      release();
      done(failure);
      stream.cancel();
    }
  }

  /** The raw two-way stream, without a deadline unless given; map its `error` with errorOf(). */
  duplex<Q, R>(method: DuplexMethod<Q, R>, per: PerCall = {}): ClientDuplexStream<Q, R> {
    const done = this.#metrics.begin(method);
    const options = per.deadlineMs === undefined ? {} : this.#callOptions(per);
    const stream = method.call(this.rpc, this.metadata(per), options);
    const release = cancelOn(per.signal, stream);
    stream.once('status', (status: { readonly code: number }) => {
      release();
      done(status.code === 0 ? null : status);
    });
    return stream;
  }

  /** A failed stream's error as the house knows it. */
  errorOf(error: unknown): PosternError {
    if (isServiceError(error)) return errorOf(error, this.#options.unavailable);
    return new PosternError('internal', '', { cause: error });
  }

  close(): void {
    this.rpc.close();
  }

  metadata(per: PerCall = {}): Metadata {
    const metadata = new Metadata();
    metadata.set(traceparentKey, this.#options.telemetry.tracer.injectTraceparent());
    const scope = per.scope ?? this.#options.scope?.();
    if (scope !== undefined) metadata.set(scopeKeyName, scope);
    for (const [name, value] of Object.entries(per.metadata ?? {})) metadata.set(name, value);
    return metadata;
  }

  #callOptions(per: PerCall): Partial<CallOptions> {
    return { deadline: this.#clock.now() + (per.deadlineMs ?? this.#options.deadlineMs) };
  }
}

export function createClient<C extends Client>(
  serviceClient: ServiceClientClass<C>,
  options: ClientOptions,
): GrpcClient<C> {
  return new GrpcClient(serviceClient, options);
}

async function* readAll<R>(stream: AsyncIterable<R>): AsyncGenerator<R> {
  yield* stream;
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (signal === undefined) return () => undefined;
  const cancel = (): void => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

function channelCredentials(tls: ClientTls | undefined): ReturnType<typeof credentials.createInsecure> {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);
}

function channelOptions(options: ClientOptions): ChannelOptions {
  const largest = options.maxMessageBytes ?? defaultMessageBytes;
  const { everyMs, answerMs } = options.keepalive ?? { everyMs: 20_000, answerMs: 5_000 };
  return {
    'grpc.max_receive_message_length': largest,
    'grpc.max_send_message_length': largest,
    'grpc.keepalive_time_ms': everyMs,
    'grpc.keepalive_timeout_ms': answerMs,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.enable_retries': 0,
    // Calls between services never go through the proxy of the environment.
    'grpc.enable_http_proxy': 0,
    'grpc.dns_min_time_between_resolutions_ms': 10_000,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5000,
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    'grpc.service_config_disable_resolution': 1,
  };
}

/** grpc-js takes several addresses only as IPs of one family. */
export function targetOf(address: string | readonly string[]): string {
  const list = typeof address === 'string' ? [address] : address;
  const [first] = list;
  if (first === undefined) throw new PosternError('config-invalid', 'no address to call');
  if (list.length === 1) return first.includes(':///') || /^(ipv4|ipv6|unix):/.test(first) ? first : `dns:///${first}`;
  const families = new Set(list.map((item) => isIP(item.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))));
  const [family] = families;
  if (families.size === 1 && family === 4) return `ipv4:${list.join(',')}`;
  if (families.size === 1 && family === 6) return `ipv6:${list.join(',')}`;
  throw new PosternError('config-invalid', `several addresses must be IPs of one family: ${list.join(', ')}`);
}
