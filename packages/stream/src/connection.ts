/**
 * One connection to NATS per process. Reconnects for ever; while it is away publishes are answered by `publish.ts` within their deadline.
 * Never logs credentials. Does not create streams: see `ensure.ts`.
 */
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import {
  AuthorizationError,
  connect,
  type NatsConnection,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { inboxPrefix, type ServiceUser } from './permissions.js';
import { StoreGuard } from './store-guard.js';

export interface StreamConnectionOptions {
  readonly servers: readonly string[];
  /** The service, and where answers to it may come. */
  readonly user: ServiceUser;
  /** Name it logs in with; by default that of the service. */
  readonly login?: string | undefined;
  readonly password: string;
  /** PEM text of the CA when the servers speak TLS; absent = plain. */
  readonly tlsCa?: string;
  /** Called on every change of state. */
  readonly onState?: (state: ConnectionState, detail: string) => void;
  /** Milliseconds until the first connection must stand; default 10,000. */
  readonly connectTimeoutMs?: number;
}

export type ConnectionState = 'connected' | 'disconnected' | 'closed';

export interface StreamConnection {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  /** Where answers to this user may come. */
  readonly inboxPrefix: string;
  /** Whether what this server acknowledges counts as stored. */
  readonly guard: StoreGuard;
  state(): ConnectionState;
  /** Calls back each time it was made again: a server met again may have been started again. */
  onMetAgain(listener: () => void): void;
  /** Flushes what is buffered and closes; bounded by the client's own drain. */
  close(): Promise<void>;
}

/** A server that is away and one that refuses the login are mended in different places. */
function whyNot(servers: readonly string[], login: string, cause: unknown): string {
  const at = `NATS at ${servers.join(', ')}`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError)
    return `${at} does not take user "${login}": ${reason}`;
  if (cause instanceof TimeoutError) return `${at} cannot be reached: no answer in time`;
  return `${at} cannot be reached: ${reason}`;
}

export async function connectStreams(options: StreamConnectionOptions): Promise<StreamConnection> {
  const login = options.login ?? options.user;
  const nats = await connect({
    servers: [...options.servers],
    user: login,
    pass: options.password,
    name: `postern-${options.user}`,
    inboxPrefix: inboxPrefix(options.user),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    timeout: options.connectTimeoutMs ?? 10_000,
    // An Error with its stack for every request cost 5-7 % of a busy process.
    noAsyncTraces: true,
    pingInterval: 5_000,
    maxPingOut: 2,
    ...(options.tlsCa === undefined ? {} : { tls: { ca: options.tlsCa } }),
  }).catch((cause: unknown) => {
    throw new Error(whyNot(options.servers, login, cause), { cause });
  });
  let state: ConnectionState = 'connected';
  const metAgain: (() => void)[] = [];
  const set = (next: ConnectionState, detail: string): void => {
    state = next;
    options.onState?.(next, detail);
  };
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect') set('disconnected', String(status.server));
      else if (status.type === 'reconnect') {
        for (const listener of metAgain) listener();
        set('connected', String(status.server));
      } else if (status.type === 'error') options.onState?.(state, status.error.message);
    }
  })();
  void nats.closed().then((error) => set('closed', error instanceof Error ? error.message : ''));
  return {
    nats,
    inboxPrefix: inboxPrefix(options.user),
    guard: new StoreGuard(
      () => nats.info,
      (reason) => options.onState?.(state, reason),
    ),
    jetstream: jetstream(nats, { timeout: 5_000 }),
    state: () => state,
    onMetAgain: (listener) => void metAgain.push(listener),
    close: async () => {
      if (!nats.isClosed()) await nats.drain();
    },
  };
}
