/**
 * Which server is asked first. Servers keep the order they were configured in; one that failed several times
 * running goes to the end for a while that doubles, and comes back by itself. Pure bookkeeping, no timers.
 */
import type { Server } from './exchange.js';

const FAILURES_TO_DEMOTE = 3;
const FIRST_REST_MS = 2_000;
const LONGEST_REST_MS = 60_000;

interface Standing {
  readonly server: Server;
  failures: number;
  restUntil: number;
}

export class ServerHealth {
  readonly #standings: readonly Standing[];

  constructor(servers: readonly Server[]) {
    this.#standings = servers.map((server) => ({ server, failures: 0, restUntil: 0 }));
  }

  /** All servers, those at rest last. */
  order(now: number): readonly Server[] {
    const ready: Server[] = [];
    const resting: Server[] = [];
    for (const standing of this.#standings) (standing.restUntil > now ? resting : ready).push(standing.server);
    return resting.length === 0 ? ready : [...ready, ...resting];
  }

  report(server: Server, ok: boolean, now: number): void {
    const standing = this.#standings.find((candidate) => candidate.server === server);
    if (standing === undefined) return;
    if (ok) {
      standing.failures = 0;
      standing.restUntil = 0;
      return;
    }
    standing.failures++;
    if (standing.failures < FAILURES_TO_DEMOTE) return;
    const doublings = Math.min(standing.failures - FAILURES_TO_DEMOTE, 5);
    standing.restUntil = now + Math.min(FIRST_REST_MS * 2 ** doublings, LONGEST_REST_MS);
  }
}
