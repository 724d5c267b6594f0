/**
 * One listener: a name, a role, an address. Opens and shuts its port, sweeps deadlines, drains. What the snapshot says of it holds from the next
 * connection on: TLS bounds, and whether its port is open at all. What comes in is in `listener-arrivals.ts`.
 * Roles: `mx` and `submission` speak in plain and offer STARTTLS where there is a certificate; `submissions` is TLS from the first byte
 * (RFC 8314 §3.3) and does not start without a certificate.
 */
import type { Timer } from '@postern/clock';
import { pathText } from '@postern/config';
import { disagreements } from './listener-agreement.js';
import { type ArrivalContext, ListenerArrivals } from './listener-arrivals.js';
import { type ListenerPlace, ListenerPort, sectionOf } from './listener-port.js';
import type { ListenerFacts } from './session.js';
import { sweepMs } from './smtp/deadlines.js';
import type { EdgeServer } from './smtp/server.js';
import type { Certificate, TlsMaterial } from './tls/certificate-files.js';
import { TlsInUse } from './tls/tls-in-use.js';

export interface ListenerOptions extends ListenerFacts, ListenerPlace {
  /** Every connection must begin with a PROXY header, whatever the snapshot says. */
  readonly proxyProtocol: boolean;
}

export interface ListenerContext extends ArrivalContext {
  /** Certificates now. */
  tls(): TlsMaterial;
  /** Settings of the snapshot that cannot be carried out; the ones before stay. */
  onRefused(listener: string, reason: string): void;
  onOpened(listener: Listener): void;
  onShut(listener: Listener): void;
}

export interface Listener {
  readonly facts: ListenerFacts;
  readonly host: string;
  readonly port: number;
  /** Sessions now. */
  readonly sessions: number;
  /** What of its settings does not go together with what it is on this pod, or cannot be carried out. */
  readonly disagreements: readonly string[];
  /** Those it shows. */
  readonly certificates: readonly Certificate[];
  /** Takes over what snapshot, certificates and time say now. */
  update(): Promise<void>;
  /** Stops accepting, sends idle clients away; resolves when the last session ended. */
  drain(): Promise<void>;
  /** Ends what still runs. */
  destroy(): void;
}

class EdgeListener implements Listener {
  readonly facts: ListenerFacts;
  readonly host: string;
  readonly #context: ListenerContext;
  readonly #options: ListenerOptions;
  readonly #server: EdgeServer;
  readonly #port: ListenerPort;
  readonly #tls: TlsInUse;
  readonly #sweep: Timer;
  #state: 'shut' | 'open' | 'draining' = 'shut';
  #disagreements: readonly string[] = [];
  #emptied: (() => void) | undefined;

  constructor(options: ListenerOptions, context: ListenerContext) {
    const { name, role, host, proxyProtocol } = options;
    this.facts = { name, role };
    this.host = host;
    this.#options = options;
    this.#context = context;
    const { clock } = context.services;
    const arrivals = {
      facts: this.facts,
      proxyProtocol,
      leaving: () => this.#leaving(),
      onClosed: () => {
        if (this.#state === 'draining' && this.sessions === 0) this.#emptied?.();
      },
    };
    this.#server = new ListenerArrivals(arrivals, context).server;
    this.#port = new ListenerPort(options, this.#server, clock);
    this.#tls = new TlsInUse({
      listener: name,
      use: (contexts) => this.#server.useTls(contexts),
      onRefused: (reason) => context.onRefused(name, reason),
    });
    this.#sweep = clock.setInterval(sweepMs, () => this.#look(), { unref: true });
  }

  get port(): number {
    return this.#port.port;
  }

  get certificates(): readonly Certificate[] {
    return this.#tls.certificates;
  }

  get sessions(): number {
    return this.#server.sessions.size;
  }

  get disagreements(): readonly string[] {
    return [...this.#port.refused, ...this.#tls.refused, ...this.#disagreements];
  }

  async update(): Promise<void> {
    this.#updateTls();
    this.#compare();
    if (this.#state === 'draining') return;
    const wanted = this.#context.services.snapshot()?.listener(this.facts).enabled !== false;
    if (!wanted) this.#port.giveUp();
    if (wanted && this.#state === 'shut') {
      await this.#open();
      this.#context.onOpened(this);
    } else if (!wanted && this.#state === 'open') {
      this.#shut();
      this.#context.onShut(this);
    }
  }

  async #open(): Promise<void> {
    this.#state = 'open';
    try {
      await this.#port.open();
    } catch (error) {
      this.#state = 'shut';
      throw error;
    }
  }

  /** No new connections; idle clients are sent away, transactions go on. */
  #shut(): void {
    this.#state = 'shut';
    this.#port.shut();
    for (const connection of this.#server.sessions) connection.drain();
  }

  /** Why it ends connections that are no session yet; undefined = it does not. */
  #leaving(): string | undefined {
    if (this.#state === 'open') return undefined;
    return this.#state === 'draining' || this.#context.services.isDraining() ? 'draining' : 'listener shut';
  }

  #updateTls(): void {
    const { services, tls } = this.#context;
    this.#tls.update(tls(), services.snapshot()?.listener(this.facts).tls, services.clock.now());
  }

  /** Says what of its settings does not go together with what it is on this pod, each once. */
  #compare(): void {
    const settings = this.#context.services.snapshot()?.listener(this.facts).agreed;
    if (settings === undefined) return;
    const here = this.#context.tls().certificates.map(({ name }) => name);
    const proxyProtocol = settings.proxyProtocol || this.#options.proxyProtocol;
    const found = disagreements(this.facts, { ...settings, proxyProtocol }, here, sectionOf(this.#options)).map(
      ({ field, message }) => `${pathText(['listeners', this.facts.name, ...field])}: ${message}`,
    );
    for (const reason of found)
      if (!this.#disagreements.includes(reason)) this.#context.onRefused(this.facts.name, reason);
    this.#disagreements = found;
  }

  #look(): void {
    const { clock } = this.#context.services;
    const now = clock.monotonic();
    for (const connection of this.#server.sessions) connection.checkDeadline(now);
    if (this.#tls.isOver(clock.now())) this.#updateTls();
    if (!this.#port.isToBeTried(now)) return;
    this.update().catch((error: unknown) => {
      this.#context.onRefused(this.facts.name, error instanceof Error ? error.message : String(error));
    });
  }

  async drain(): Promise<void> {
    if (this.#state === 'open') this.#shut();
    this.#state = 'draining';
    if (this.sessions > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
    this.#sweep.cancel();
  }

  destroy(): void {
    this.#sweep.cancel();
    for (const connection of this.#server.sessions) connection.destroy();
  }
}

export async function openListener(options: ListenerOptions, context: ListenerContext): Promise<Listener> {
  if (options.role === 'submissions' && context.tls().certificates.length === 0) {
    throw new Error(
      `${sectionOf(options)}: ${options.name} has role submissions, which needs edge.tls.certFile and edge.tls.keyFile`,
    );
  }
  const listener = new EdgeListener(options, context);
  await listener.update();
  return listener;
}
