/**
 * The TLS of one listener: contexts of the snapshot's settings, the certificates and the ticket keys of now, made again when one of them changes. Settings
 * that cannot be carried out leave those before, and these go on with certificates and keys as they become: no fault in settings lets a certificate
 * expire. Does not read files.
 */
import type { ListenerTls } from '@postern/proto/config/v1/snapshot';
import type { Certificate, TlsMaterial } from './certificate-files.js';
import { ticketEpoch } from './ticket-keys.js';
import { createTlsContexts, type TlsContexts, usable } from './tls-contexts.js';

export interface TlsInUseOptions {
  readonly listener: string;
  /** For handshakes from now on. */
  use(contexts: TlsContexts | undefined): void;
  /** Settings of the snapshot that cannot be carried out. */
  onRefused(reason: string): void;
}

/** What contexts are made of. */
interface TlsSources {
  readonly material: TlsMaterial;
  readonly settings: ListenerTls | undefined;
  readonly epoch: number;
}

export class TlsInUse {
  readonly #options: TlsInUseOptions;
  #asked: readonly unknown[] = [];
  #askedEpoch = Number.NaN;
  /** What the contexts in use were made of. */
  #taken: TlsSources | undefined;
  #refused: readonly string[] = [];

  constructor(options: TlsInUseOptions) {
    this.#options = options;
  }

  /** Those shown. */
  get certificates(): readonly Certificate[] {
    return this.#taken === undefined ? [] : usable(this.#taken.material.certificates, this.#taken.settings);
  }

  /** Why settings of the snapshot are not in use. */
  get refused(): readonly string[] {
    return this.#refused;
  }

  /** Ticket keys are of a time that is over. */
  isOver(nowMs: number): boolean {
    return ticketEpoch(nowMs) !== this.#askedEpoch;
  }

  update(material: TlsMaterial, wanted: ListenerTls | undefined, nowMs: number): void {
    const before = this.#taken;
    const epoch = ticketEpoch(nowMs);
    const names = material.certificates.map(({ name }) => name);
    // Which certificate is meant is not known: the listener says so, and what was taken before stays.
    const isKnown = before === undefined || (wanted?.certificates ?? []).every((name) => names.includes(name));
    const settings = isKnown ? wanted : before.settings;
    const asked = [material, JSON.stringify(settings), epoch];
    if (asked.every((part, index) => part === this.#asked[index])) return;
    this.#asked = asked;
    this.#askedEpoch = epoch;
    const reason = this.#take({ material, settings, epoch });
    this.#refused = reason === undefined ? [] : [reason];
    if (reason === undefined) return;
    this.#options.onRefused(reason);
    if (before === undefined || (before.material === material && before.epoch === epoch)) return;
    // Where the new material goes with neither, what is in use stays as it is.
    this.#take({ material, settings: before.settings, epoch });
  }

  /** Why not. */
  #take(sources: TlsSources): string | undefined {
    const { material, settings, epoch } = sources;
    try {
      this.#options.use(createTlsContexts(material, settings, this.#options.listener, epoch));
      this.#taken = sources;
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
