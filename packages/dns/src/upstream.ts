/**
 * One question to all servers until one gives a usable reply: the first server first, the next when it fails
 * or when it has been silent for the hedge delay; a silent server is asked again (UDP may lose a packet).
 * Usable is an answer, an alias, NODATA or NXDOMAIN; a server that says SERVFAIL or REFUSED is not asked twice.
 * Bounded by attempts, by time and by questions in flight; while no server answers at all, by a moment (silence.ts).
 * No cache.
 */
import type { Clock, Random } from '@postern/clock';
import { exchange, type Server, type Transport } from './exchange.js';
import type { DnsMetrics } from './metrics.js';
import type { Reply } from './packet.js';
import type { RecordType } from './records.js';
import type { DnsTrouble } from './result.js';
import { ServerHealth } from './server-health.js';
import { patienceInSilenceMs, Silence } from './silence.js';

export interface UpstreamOptions {
  readonly clock: Clock;
  readonly servers: readonly Server[];
  readonly hedgeMs: number;
  readonly attempts: number;
  readonly maxInFlight: number;
  /** For a whole lookup. */
  readonly timeoutMs: number;
  readonly randomCase: boolean;
  readonly random: Random;
  readonly metrics: DnsMetrics;
}

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #health: ServerHealth;
  readonly #silence: Silence;
  #inFlight = 0;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#health = new ServerHealth(options.servers);
    const { clock, random, metrics, timeoutMs } = options;
    this.#silence = new Silence({
      clock,
      probe: async () =>
        hasSpoken(await this.#race(`probe-${random16(random)}-${random16(random)}.invalid`, 'A', timeoutMs)),
      changed: (isSilent, lastedMs) => metrics.silent?.(isSilent, lastedMs),
    });
  }

  async ask<T extends RecordType>(name: string, type: T, timeoutMs: number): Promise<Reply<T>> {
    if (timeoutMs <= 0) return { kind: 'timeout' };
    if (this.#inFlight >= this.#options.maxInFlight)
      return { kind: 'servfail', reason: 'too many questions in flight' };
    this.#inFlight++;
    try {
      const patience = this.#silence.isSilent ? Math.min(timeoutMs, patienceInSilenceMs) : timeoutMs;
      const reply = await this.#race(name, type, patience);
      if (!hasSpoken(reply)) this.#silence.missed();
      return reply;
    } finally {
      this.#inFlight--;
    }
  }

  #race<T extends RecordType>(name: string, type: T, timeoutMs: number): Promise<Reply<T>> {
    const { clock, hedgeMs, attempts } = this.#options;
    const servers = this.#health.order(clock.monotonic());
    return new Promise((resolve) => {
      const done = new AbortController();
      const ruledOut = new Set<Server>();
      let worst: DnsTrouble | undefined;
      let started = 0;
      let running = 0;
      let settled = false;

      const settle = (reply: Reply<T>): void => {
        if (settled) return;
        settled = true;
        deadline.cancel();
        hedge?.cancel();
        done.abort();
        resolve(reply);
      };
      const next = (): void => {
        hedge?.cancel();
        const server = nextServer(servers, ruledOut, started);
        if (server === undefined || started >= attempts) {
          if (running === 0) settle(worst ?? { kind: 'timeout' });
          return;
        }
        started++;
        running++;
        hedge = clock.setTimer(hedgeMs * started, next);
        void this.#attempt(server, name, type, done.signal).then((reply) => {
          running--;
          if (settled) return;
          if (isUsable(reply)) {
            settle(reply);
            return;
          }
          worst = worse(worst, reply);
          ruledOut.add(server);
          next();
        });
      };
      let hedge: { cancel(): void } | undefined;
      const deadline = clock.setTimer(timeoutMs, () => settle(worst ?? { kind: 'timeout' }));
      next();
    });
  }

  async #attempt<T extends RecordType>(server: Server, name: string, type: T, signal: AbortSignal): Promise<Reply<T>> {
    const { clock, random, randomCase, hedgeMs, metrics } = this.#options;
    const begun = clock.monotonic();
    let transport: Transport = 'udp';
    const asked = randomCase ? mixCase(name, random) : name;
    const reply = await exchange({
      server,
      question: { id: random16(random), name: asked, type, caseSensitive: randomCase },
      signal,
      onTransport: (used) => {
        transport = used;
      },
    });
    const took = clock.monotonic() - begun;
    // Silence up to the hedge delay is no fault of the server: it merely lost the race.
    const superseded = reply.kind === 'aborted';
    if (hasSpoken(reply)) this.#silence.heard();
    if (!superseded || took >= hedgeMs) this.#health.report(server, isUsable(reply), clock.monotonic());
    metrics.attempt?.(transport, superseded ? 'superseded' : reply.kind, took / 1000);
    return reply;
  }
}

function nextServer(servers: readonly Server[], ruledOut: ReadonlySet<Server>, started: number): Server | undefined {
  for (let i = 0; i < servers.length; i++) {
    const server = servers[(started + i) % servers.length];
    if (server !== undefined && !ruledOut.has(server)) return server;
  }
  return undefined;
}

function isUsable<T extends RecordType>(reply: Reply<T>): reply is Exclude<Reply<T>, DnsTrouble> {
  return reply.kind === 'answer' || reply.kind === 'alias' || reply.kind === 'nodata' || reply.kind === 'nxdomain';
}

/** A server said something, be it that it cannot. */
function hasSpoken({ kind }: { readonly kind: Reply<RecordType>['kind'] }): boolean {
  return kind !== 'timeout' && kind !== 'unreachable' && kind !== 'aborted';
}

const gravity: readonly DnsTrouble['kind'][] = ['unreachable', 'refused', 'servfail'];

/** Of several failures the one that says most: a server that spoke over one that could not be reached. */
function worse<T extends RecordType>(known: DnsTrouble | undefined, reply: Reply<T>): DnsTrouble | undefined {
  if (isUsable(reply)) return known;
  if (known === undefined || gravity.indexOf(reply.kind) > gravity.indexOf(known.kind)) return reply;
  return known;
}

/** 0x20: random case in the question is more to guess for a forger; servers copy it into the reply. */
function mixCase(name: string, random: Random): string {
  let mixed = '';
  let bits = 0;
  for (let i = 0; i < name.length; i++) {
    if (i % 16 === 0) bits = random16(random);
    const letter = name.charAt(i);
    mixed += (bits >> (i % 16)) & 1 ? letter.toUpperCase() : letter;
  }
  return mixed;
}

const random16 = (random: Random): number => Math.floor(random.float() * 0x10000);
