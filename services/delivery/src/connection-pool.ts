/**
 * Open connections kept for the next message to the same host with the same settings. A connection is in exactly one place: idle here, or with
 * one attempt. Bounded per site by `slots.ts`, in life by messages and idle time. A connection that went stale is closed, never lent.
 */
import type { Clock, Timer } from '@postern/clock';
import type { SmtpConnection } from '@postern/smtp-client';

const maxIdle = 512;

interface Idle {
  readonly connection: SmtpConnection;
  readonly timer: Timer;
}

export interface ConnectionPool {
  /** A usable kept connection, or undefined. */
  lend(key: string): SmtpConnection | undefined;
  /** Gives it back; keeps it or says QUIT. */
  giveBack(key: string, connection: SmtpConnection): void;
  close(): Promise<void>;
}

export interface ConnectionPoolOptions {
  readonly clock: Clock;
  readonly idleMs: number;
  readonly messagesPerConnection: number;
}

export function createConnectionPool(options: ConnectionPoolOptions): ConnectionPool {
  const idle = new Map<string, Idle[]>();
  let count = 0;
  let closed = false;

  const remove = (key: string, entry: Idle): void => {
    const list = idle.get(key);
    const at = list?.indexOf(entry) ?? -1;
    if (list === undefined || at === -1) return;
    list.splice(at, 1);
    if (list.length === 0) idle.delete(key);
    entry.timer.cancel();
    count--;
  };
  return {
    lend(key) {
      for (let entry = idle.get(key)?.at(-1); entry !== undefined; entry = idle.get(key)?.at(-1)) {
        remove(key, entry);
        if (entry.connection.usable) return entry.connection;
        entry.connection.close();
      }
      return undefined;
    },
    giveBack(key, connection) {
      const keep =
        !closed && connection.usable && connection.transactions < options.messagesPerConnection && count < maxIdle;
      if (!keep || options.idleMs === 0) return void connection.quit();
      const entry: Idle = {
        connection,
        timer: options.clock.setTimer(
          options.idleMs,
          () => {
            remove(key, entry);
            void connection.quit();
          },
          { unref: true },
        ),
      };
      const list = idle.get(key);
      if (list === undefined) idle.set(key, [entry]);
      else list.push(entry);
      count++;
    },
    async close() {
      closed = true;
      const entries = [...idle].flatMap(([key, list]) => list.map((entry) => ({ key, entry })));
      for (const { key, entry } of entries) remove(key, entry);
      await Promise.all(entries.map(({ entry }) => entry.connection.quit()));
    },
  };
}
