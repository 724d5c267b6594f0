/**
 * The store behind the limits, as the logic sees it: run one script, get integers or a failure. ioredis is known only
 * here. No offline queue, no resending of a command whose fate is unknown (a resent admission would count twice), commands of
 * a busy pod written together (`departures.ts`; the client's own pipelining is slower), every command ends within the timeout. READONLY means the primary moved:
 * reconnect. Commands of one store travel on one connection and so arrive in order; the heartbeat relies on that.
 */
import { systemClock } from '@postern/clock';
import { Cluster, Redis } from 'ioredis';
import { Departures } from './departures.js';
import { redisTrouble } from './redis-trouble.js';
import { ALIVE, type Script } from './scripts.js';

export interface LimitStore {
  /** Keys of different tags may be on different servers, so that no script has both. @default false */
  readonly isSpread?: boolean;
  /** For scripts whose answer is more than numbers. */
  ask(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Rejects when the store does not answer within its own bound. */
export async function askAlive(store: LimitStore): Promise<void> {
  await store.run(ALIVE, [], []);
}

export interface RedisLimitStoreOptions {
  readonly url: string;
  /** Authority that signs the server's certificate, PEM; for rediss:// URLs. */
  readonly tlsCa?: string;
  /** Any node of a Redis Cluster is given as URL. @default false */
  readonly cluster?: boolean;
  /** Milliseconds. @default 50 */
  readonly commandTimeoutMs?: number;
  /** Called with every connection error; the store reconnects by itself. */
  readonly onError?: (error: Error) => void;
}

const settings = {
  connectTimeout: 1_000,
  enableAutoPipelining: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
};

/** A command of a busy pod waits this long at most for others to be written with. */
const GATHER_MS = 5;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 1_000;

export class RedisLimitStore implements LimitStore {
  readonly isSpread: boolean;
  readonly #redis: Redis | Cluster;
  readonly #timeoutMs: number;
  /** Of the connection; none while it stands. */
  #trouble: Error | undefined;
  readonly #departures = new Departures({
    clock: systemClock,
    gapMs: GATHER_MS,
    together: (commands) => this.#together(commands),
  });

  constructor(options: RedisLimitStoreOptions) {
    this.isSpread = options.cluster === true;
    this.#timeoutMs = options.commandTimeoutMs ?? 50;
    const backOff = (attempt: number): number => Math.min(RECONNECT_FIRST_MS * attempt, RECONNECT_MAX_MS);
    const common = { ...settings, ...(options.tlsCa === undefined ? {} : { tls: { ca: options.tlsCa } }) };
    this.#redis =
      options.cluster === true
        ? clusterOf(options.url, common, backOff)
        : new Redis(options.url, { ...common, enableOfflineQueue: false, retryStrategy: backOff });
    this.#redis.on('error', (error: Error) => {
      this.#trouble = error;
      options.onError?.(error);
    });
    this.#redis.on('ready', () => {
      this.#trouble = undefined;
    });
  }

  /** Waits for the connection, so that a pod that begins joins at once instead of deciding alone; false = not in that time. */
  async ready(withinMs: number): Promise<boolean> {
    if (this.#redis.status === 'ready') return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const onReady = (): void => resolve(true);
    this.#redis.once('ready', onReady);
    const timer = systemClock.setTimer(withinMs, () => resolve(false));
    const isReady = await promise;
    timer.cancel();
    this.#redis.off('ready', onReady);
    return isReady;
  }

  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<readonly number[]> {
    return integers(script, await this.ask(script, keys, args));
  }

  async ask(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const parameters = [...keys, ...args];
    try {
      return await this.#inTime(() => this.#redis.evalsha(script.sha, keys.length, ...parameters));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw redisTrouble(error, this.#trouble);
      return this.#inTime(() => this.#redis.eval(script.body, keys.length, ...parameters));
    }
  }

  /** A stall of our own event loop is not the store's: what has arrived meanwhile is read before an answer counts as late. */
  #inTime<T>(command: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const late = (): void => reject(new Error('Command timed out'));
    this.#departures.add(() => {
      const timer = systemClock.setTimer(this.#timeoutMs, () => setImmediate(late));
      command()
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
    return promise;
  }

  /** One write to the socket. A cluster has several, of which we know none. */
  #together(commands: readonly (() => void)[]): void {
    const stream = this.#redis instanceof Redis && commands.length > 1 ? this.#redis.stream : undefined;
    stream?.cork();
    for (const command of commands) command();
    stream?.uncork();
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }
}

/** Login and TLS of the URL hold for every node. A script's keys share a tag, so it runs on one. */
function clusterOf(url: string, common: typeof settings, backOff: (attempt: number) => number): Cluster {
  const { protocol, hostname, port, username, password } = new URL(url);
  const login = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
  return new Cluster([{ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6_379) }], {
    enableOfflineQueue: false,
    clusterRetryStrategy: backOff,
    slotsRefreshTimeout: 1_000,
    redisOptions: { ...(protocol === 'rediss:' ? { tls: {} } : {}), ...common, ...login },
  });
}

function integers(script: Script, reply: unknown): readonly number[] {
  if (Array.isArray(reply) && reply.every((item): item is number => typeof item === 'number')) return reply;
  throw new Error(`script ${script.name} answered in an unknown shape`);
}
