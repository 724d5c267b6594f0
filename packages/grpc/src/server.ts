/**
 * A gRPC server with health, reflection, metrics, traces and a drain. Services are added before listen().
 * Connections are retired by age, so that clients find new pods; open streams on them go on.
 */

import { type Clock, systemClock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import type { Logger, Telemetry } from '@postern/telemetry';
import { HealthImplementation } from 'grpc-health-check';
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerInterceptor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from './grpc-js.js';
import { markMalformed, refuseMalformed } from './malformed.js';
import { type grpcEvents, observeCalls, splitPath } from './observe.js';
import { addReflection } from './reflection.js';

export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Given: clients must show a certificate of this authority. */
  readonly clientCa?: Buffer;
}

export interface ServerOptions {
  readonly telemetry: Telemetry;
  readonly tls?: ServerTls;
  /** Run after the built-in ones, in this order; requireScope() belongs here. */
  readonly interceptors?: readonly ServerInterceptor[];
  readonly maxMessageBytes?: number;
  readonly connectionAgeMs?: number;
  readonly clock?: Clock;
  /** A serialized FileDescriptorSet; given: reflection answers for the added services. */
  readonly descriptorSet?: Uint8Array;
}

interface Method<Q, R> {
  readonly requestDeserialize: (bytes: Buffer) => Q;
  readonly responseSerialize: (value: R) => Buffer;
}

type Kind<Request extends boolean, Response extends boolean> = {
  readonly requestStream: Request;
  readonly responseStream: Response;
};

type HandlerOf<M> =
  M extends Method<infer Q, infer R>
    ? M extends Kind<false, false>
      ? handleUnaryCall<Q, R>
      : M extends Kind<true, false>
        ? handleClientStreamingCall<Q, R>
        : M extends Kind<false, true>
          ? handleServerStreamingCall<Q, R>
          : handleBidiStreamingCall<Q, R>
    : never;

/** One handler per method of a generated service definition. */
export type Handlers<D> = { [K in keyof D]: HandlerOf<D[K]> };

const defaultMessageBytes = 4 * 1_048_576;
const defaultConnectionAgeMs = 300_000;

export class GrpcServer {
  readonly #server: Server;
  readonly #health = new HealthImplementation();
  readonly #services: string[] = [];
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #log: Logger<keyof typeof grpcEvents>;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.telemetry.log;
    this.#server = new Server({
      interceptors: [observeCalls(options.telemetry, this.#clock), ...(options.interceptors ?? []), refuseMalformed()],
      'grpc.max_receive_message_length': options.maxMessageBytes ?? defaultMessageBytes,
      'grpc.max_send_message_length': options.maxMessageBytes ?? defaultMessageBytes,
      'grpc.max_connection_age_ms': options.connectionAgeMs ?? defaultConnectionAgeMs,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    this.#health.addToServer(this.#server);
    this.#health.setStatus('', 'NOT_SERVING');
  }

  /** `server.add(QueueServiceService, { trace: unary(async (request, context) => …) })` */
  add<D extends ServiceDefinition>(definition: D, handlers: Handlers<D>): this;
  add(definition: ServiceDefinition, handlers: UntypedServiceImplementation): this {
    this.#server.addService(markMalformed(definition), handlers);
    for (const method of Object.values(definition)) {
      const { service } = splitPath(method.path);
      if (!this.#services.includes(service)) this.#services.push(service);
    }
    return this;
  }

  /** What the health service says, for the whole server and each of its services. */
  setServing(serving: boolean): void {
    for (const service of ['', ...this.#services]) this.#health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /** Binds, reports healthy, resolves with the port. */
  async listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    if (this.#options.descriptorSet) addReflection(this.#server, this.#options.descriptorSet, this.#services);
    const target = address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(target, this.#credentials(), (error, bound) => {
        if (error) reject(new PosternError('config-invalid', `cannot listen on ${target}`, { cause: error }));
        else resolve(bound);
      });
    });
    this.setServing(true);
    this.#log.info('grpc.server.bound', { address: target, port });
    return port;
  }

  /** Reports unhealthy, takes no new calls, waits for those in progress; what is left at the end is cut. */
  async drain(timeoutMs: number): Promise<void> {
    this.setServing(false);
    const done = Promise.withResolvers<boolean>();
    const timer = this.#clock.setTimer(timeoutMs, () => done.resolve(false));
    this.#server.tryShutdown(() => done.resolve(true));
    const complete = await done.promise;
    timer.cancel();
    if (!complete) this.#server.forceShutdown();
    this.#log.info('grpc.server.drained', { complete });
  }

  /** Ends at once, calls in progress included. */
  stop(): void {
    this.#server.forceShutdown();
  }

  #credentials(): ServerCredentials {
    const { tls } = this.#options;
    if (tls === undefined) return ServerCredentials.createInsecure();
    const pair = { cert_chain: tls.cert, private_key: tls.key };
    return ServerCredentials.createSsl(tls.clientCa ?? null, [pair], tls.clientCa !== undefined);
  }
}

export function createServer(options: ServerOptions): GrpcServer {
  return new GrpcServer(options);
}
