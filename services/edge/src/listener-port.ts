/**
 * The port of one listener: opened, shut, and tried again where it could not be opened. What cannot be opened is said with the listener and the field of
 * its address. Knows nothing of what comes in.
 */
import type { Clock } from '@postern/clock';
import { formatHostPort } from '@postern/config';
import type { ListenerSection } from './listener-agreement.js';
import type { EdgeServer } from './smtp/server.js';

export interface ListenerPlace {
  readonly name: string;
  readonly host: string;
  /** 0 = one that is free. */
  readonly port: number;
  /** Where the pod has it. */
  readonly section?: ListenerSection;
  /** Other workers of this pod accept on it too. */
  readonly sharesPort?: boolean;
}

export const sectionOf = ({ section = 'edge.listeners' }: Pick<ListenerPlace, 'section'>): ListenerSection => section;

const tryAgainMs = 10_000;

const causes: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it',
  EADDRNOTAVAIL: 'this host has no such address',
  EACCES: 'this process may not use the port',
};

export class ListenerPort {
  readonly #place: ListenerPlace;
  readonly #server: EdgeServer;
  readonly #clock: Clock;
  #port: number;
  /** When it could not be opened, and why. */
  #failed: { readonly reason: string; readonly atMs: number } | undefined;

  constructor(place: ListenerPlace, server: EdgeServer, clock: Clock) {
    this.#place = place;
    this.#server = server;
    this.#clock = clock;
    this.#port = place.port;
    server.server.on('error', () => undefined);
  }

  get port(): number {
    return this.#port;
  }

  /** Why it is not open although it should be. */
  get refused(): readonly string[] {
    return this.#failed === undefined ? [] : [this.#failed.reason];
  }

  /** Could not be opened, and long enough ago. */
  isToBeTried(nowMs: number): boolean {
    return this.#failed !== undefined && nowMs - this.#failed.atMs >= tryAgainMs;
  }

  /** Throws one line where that cannot be. */
  async open(): Promise<void> {
    try {
      await this.#listen();
    } catch (error) {
      const reason = this.#failure(error);
      this.#failed = { reason, atMs: this.#clock.monotonic() };
      throw new Error(reason, { cause: error });
    }
    this.#failed = undefined;
    const bound = this.#server.server.address();
    if (bound !== null && typeof bound === 'object') this.#port = bound.port;
  }

  /** Nobody wants it any more. */
  giveUp(): void {
    this.#failed = undefined;
  }

  /** No new connections, and none before its session. */
  shut(): void {
    this.#server.server.close();
    for (const socket of this.#server._pendingSockets.values()) socket.destroy();
  }

  #listen(): Promise<void> {
    const { server } = this.#server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const { host, sharesPort = false } = this.#place;
      this.#server.listen({ host, port: this.#port, backlog: 4_096, reusePort: sharesPort }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  #failure(error: unknown): string {
    const { name, host } = this.#place;
    const at = formatHostPort({ host, port: this.#port });
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return `address of listener ${name} in ${sectionOf(this.#place)}: cannot listen on ${at}: ${causes[code] ?? 'refused'} (${code})`;
  }
}
