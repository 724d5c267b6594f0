/**
 * The store behind the limits, as the logic sees it: run one script, get integers or a failure. ioredis is known only
 * here. No offline queue, no resending of a command whose fate is unknown (a resent admission would count twice), no
 * automatic pipelining (measured slower), every command ends within the timeout. READONLY means the primary moved:
 * reconnect. Commands of one store travel on one connection and so arrive in order; the heartbeat relies on that.
 */
import { systemClock } from '@postern/clock';
import { Redis } from 'ioredis';
import type { Script } from './scripts.js';

export interface LimitStore {
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<readonly number[]>;
  close(): Promise<void>;
}

export interface RedisLimitStoreOptions {
  readonly url: string;
  /** Milliseconds. @default 50 */
  readonly commandTimeoutMs?: number;
  /** Called with every connection error; the store reconnects by itself. */
  readonly onError?: (error: Error) => void;
}

const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 1_000;

export class RedisLimitStore implements LimitStore {
  readonly #redis: Redis;
  readonly #timeoutMs: number;

  constructor(options: RedisLimitStoreOptions) {
    this.#timeoutMs = options.commandTimeoutMs ?? 50;
    this.#redis = new Redis(options.url, {
      connectTimeout: 1_000,
      enableOfflineQueue: false,
      enableAutoPipelining: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(RECONNECT_FIRST_MS * attempt, RECONNECT_MAX_MS),
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.#redis.on('error', (error: Error) => options.onError?.(error));
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
    const parameters = [...keys, ...args];
    try {
      return integers(script, await this.#inTime(this.#redis.evalsha(script.sha, keys.length, ...parameters)));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return integers(script, await this.#inTime(this.#redis.eval(script.body, keys.length, ...parameters)));
    }
  }

  /** A stall of our own event loop is not the store's: what has arrived meanwhile is read before an answer counts as late. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const late = (): void => reject(new Error('Command timed out'));
    const timer = systemClock.setTimer(this.#timeoutMs, () => setImmediate(late));
    answer.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
    return promise;
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }
}

function integers(script: Script, reply: unknown): readonly number[] {
  if (Array.isArray(reply) && reply.every((item): item is number => typeof item === 'number')) return reply;
  throw new Error(`script ${script.name} answered in an unknown shape`);
}
