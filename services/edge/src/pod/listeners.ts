/**
 * The listeners of this pod and the certificates they share: opened once all they need is there, told of every new snapshot and every changed
 * certificate file, drained together. Names that are only in the settings or only among the ports are said once each.
 */
import type { Clock, Timer } from '@postern/clock';
import type { Standing } from '@postern/stream';
import { formatTraceparent, type Telemetry } from '@postern/telemetry';
import { type EdgeConfig, moreListenersHere } from '../config.js';
import type { EdgeLogEvent } from '../events.js';
import { type Listener, type ListenerContext, openListener } from '../listener.js';
import type { EdgeMetrics } from '../metrics.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import {
  type CertificateFiles,
  type MaterialChange,
  readTlsMaterial,
  type TlsMaterial,
  watchTlsMaterial,
} from '../tls/certificate-files.js';
import { certificateStanding, endings, firstEnd } from '../tls/certificate-standing.js';

export interface PodListenersOptions {
  readonly config: EdgeConfig['edge'];
  readonly clock: Clock;
  readonly telemetry: Telemetry<EdgeLogEvent>;
  readonly metrics: EdgeMetrics;
  readonly snapshot: () => CompiledSnapshot | undefined;
}

/** What sessions are made with. */
export type SessionPorts = Pick<ListenerContext, 'services' | 'guard' | 'admit' | 'enterPrelude'>;

export class PodListeners {
  readonly #options: PodListenersOptions;
  readonly #listeners: Listener[] = [];
  #material: TlsMaterial = { certificates: [], ticketSeed: undefined };
  #certificateTimer: Timer | undefined;
  /** Why changed files are not in use; empty = they are. */
  #refusedMaterial = '';
  /** Side by name. */
  #unmatched: ReadonlyMap<string, string> = new Map();

  constructor(options: PodListenersOptions) {
    this.#options = options;
  }

  /** Sessions now. */
  get sessions(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.sessions, 0);
  }

  /** Before anything is opened: throws where a file is wrong. */
  async readCertificates(): Promise<void> {
    this.#material = await this.#readMaterial();
  }

  async open(ports: SessionPorts): Promise<void> {
    const { config, clock, metrics, telemetry } = this.#options;
    const all = [
      ...config.listeners.map((one) => ({ ...one, section: 'edge.listeners' as const })),
      ...moreListenersHere(config).map((one) => ({ ...one, section: 'edge.moreListeners' as const })),
    ];
    const twice = all.find(({ name }, at) => all.findIndex((one) => one.name === name) !== at);
    if (twice !== undefined) throw new Error(`edge.moreListeners: the name ${twice.name} is given twice`);
    const context = this.#context(ports);
    for (const { address, ...listener } of all) {
      const place = { host: address.host, port: address.port, sharesPort: config.workers.max > 1 };
      this.#listeners.push(await openListener({ ...listener, ...place }, context));
    }
    metrics.certificateEnd(() => firstEnd(this.#material.certificates));
    metrics.certificatesStale(() => Number(this.#refusedMaterial !== ''));
    metrics.listenersAstray(() => this.#listeners.filter(({ disagreements }) => disagreements.length > 0).length);
    this.#reportEndings();
    this.#certificateTimer = watchTlsMaterial(() => this.#readMaterial(), this.#material, clock, {
      onChanged: (material, change) => {
        this.#material = material;
        for (const listener of this.#listeners) this.#updateListener(listener);
        metrics.certificates.inc();
        this.#reportChange(change);
        this.#reportEndings();
      },
      onRefused: (reason) => {
        this.#refusedMaterial = reason;
        metrics.certificatesRefused.inc();
        telemetry.log.error('edge.certificate.refused', { reason });
      },
      onRecovered: () => (this.#refusedMaterial = ''),
    });
    this.#reportUnmatched();
  }

  /** Another snapshot is in use. */
  update(): void {
    for (const listener of this.#listeners) this.#updateListener(listener);
    this.#reportUnmatched();
  }

  /** For `status`: settings that no port has, or that do not fit the one they have. */
  standing(): Standing {
    const nowhere = [...this.#unmatched]
      .filter(([, side]) => side === 'settings')
      .map(([name]) => `listeners.${name}: no port; name it in edge.moreListeners and start again`);
    const [first, ...more] = [...nowhere, ...this.#listeners.flatMap(({ disagreements }) => disagreements)];
    if (first === undefined) return { state: 'ok' };
    return { state: 'degraded', detail: more.length === 0 ? first : `${first} (and ${more.length} more)` };
  }

  /** For `status`: changed files that are not in use, and what is over or soon will be. */
  certificateStanding(): Standing {
    return certificateStanding(this.#material.certificates, this.#refusedMaterial, this.#options.clock.now());
  }

  async drain(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.drain()));
  }

  /** Ends what still runs. */
  destroy(): void {
    for (const listener of this.#listeners) listener.destroy();
  }

  close(): void {
    this.destroy();
    this.#certificateTimer?.cancel();
  }

  #reportChange({ certificates, isTicketSeed }: MaterialChange): void {
    const { log } = this.#options.telemetry;
    for (const certificate of certificates) {
      const { name, expiresAtMs } = certificate;
      const listeners = this.#listeners.filter((listener) => listener.certificates.includes(certificate));
      log.info('edge.certificate.replaced', {
        certificate: name,
        file: this.#files().find((files) => files.name === name)?.certFile ?? '',
        listeners: listeners.map(({ facts }) => facts.name),
        expires: new Date(expiresAtMs).toISOString(),
      });
    }
    if (isTicketSeed) log.info('edge.ticket_key.replaced', { file: this.#options.config.ticketKeyFile ?? '' });
  }

  #reportEndings(): void {
    const { clock, telemetry } = this.#options;
    for (const { name, expiresAtMs } of endings(this.#material.certificates, clock.now()))
      telemetry.log.warn('edge.certificate.expiring', {
        certificate: name,
        expires: new Date(expiresAtMs).toISOString(),
      });
  }

  #readMaterial(): Promise<TlsMaterial> {
    return readTlsMaterial(this.#files(), this.#options.config.ticketKeyFile);
  }

  #files(): readonly CertificateFiles[] {
    const { tls, certificates } = this.#options.config;
    return [...(tls === undefined ? [] : [{ name: 'default', ...tls }]), ...certificates];
  }

  #context(ports: SessionPorts): ListenerContext {
    const { log, tracer } = this.#options.telemetry;
    return {
      ...ports,
      tls: () => this.#material,
      onRefused: (name, reason) => this.#reportRefused(name, reason),
      onOpened: ({ facts, host, port }) =>
        log.info('edge.listener.opened', { listener: facts.name, role: facts.role, host, port }),
      onShut: ({ facts }) => log.info('edge.listener.shut', { listener: facts.name }),
      traceparent: () => formatTraceparent(tracer.startSpan('edge.session')),
    };
  }

  #updateListener(listener: Listener): void {
    listener.update().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#reportRefused(listener.facts.name, reason);
    });
  }

  #reportRefused(listener: string, reason: string): void {
    this.#options.metrics.listenersRefused.inc();
    this.#options.telemetry.log.error('edge.listener.refused', { listener, reason });
  }

  /** Settings for a port nobody has, or a port without settings: a name was misspelt on one of the two sides. Once all listeners are open. */
  #reportUnmatched(): void {
    const snapshot = this.#options.snapshot();
    if (snapshot === undefined || this.#certificateTimer === undefined) return;
    const here = this.#listeners.map(({ facts }) => facts.name);
    const settings = snapshot.listenerNames;
    const found = [
      ...settings.filter((name) => !here.includes(name)).map((name) => ({ listener: name, side: 'settings' })),
      ...here.filter((name) => !settings.includes(name)).map((name) => ({ listener: name, side: 'port' })),
    ];
    for (const one of found)
      if (!this.#unmatched.has(one.listener)) this.#options.telemetry.log.warn('edge.listener.unmatched', one);
    this.#unmatched = new Map(found.map(({ listener, side }) => [listener, side]));
  }
}
