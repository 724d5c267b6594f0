/**
 * Whether any server answers at all. Silence about some names is their owners' doing; that the servers are silent is believed only when a name of our own
 * (RFC 6761 §6.4), which no owner can delay, was not answered either within the whole time of a lookup. Then whoever asks waits a moment only,
 * until anything is answered: own questions go on, one a second, for as long as somebody asks. Told at each change, never per question.
 */
import type { Clock } from '@postern/clock';

export interface SilenceOptions {
  readonly clock: Clock;
  /** Asks the servers for a name of our own; true = one of them spoke. */
  readonly probe: () => Promise<boolean>;
  /** `lastedMs`: since the first question that was not answered. */
  readonly changed: (isSilent: boolean, lastedMs: number) => void;
}

/** Questions in a row without a word before the servers are suspected. */
const missesToSuspect = 3;
const probeEveryMs = 1_000;
/** Nobody asked for so long: no use to go on looking. */
const idleMs = 60_000;
/** The time of a question while nobody answers: enough for servers nearby, and the next one is asked too. */
export const patienceInSilenceMs = 500;

type State =
  | { readonly kind: 'heard'; readonly misses: number; readonly sinceMs: number }
  | { readonly kind: 'suspected'; readonly sinceMs: number }
  | { readonly kind: 'silent'; readonly sinceMs: number };

export class Silence {
  readonly #options: SilenceOptions;
  #state: State = { kind: 'heard', misses: 0, sinceMs: 0 };
  #isLooking = false;
  #askedMs = 0;

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  get isSilent(): boolean {
    return this.#state.kind === 'silent';
  }

  /** A server spoke, whatever it said. */
  heard(): void {
    const before = this.#state;
    if (before.kind === 'heard' && before.misses === 0) return;
    this.#state = { kind: 'heard', misses: 0, sinceMs: 0 };
    if (before.kind === 'silent') this.#options.changed(false, this.#now - before.sinceMs);
  }

  /** A question ended without a word from any server. */
  missed(): void {
    this.#askedMs = this.#now;
    const before = this.#state;
    if (before.kind === 'heard') {
      const misses = before.misses + 1;
      const sinceMs = misses === 1 ? this.#now : before.sinceMs;
      this.#state = misses < missesToSuspect ? { kind: 'heard', misses, sinceMs } : { kind: 'suspected', sinceMs };
    }
    if (this.#state.kind !== 'heard' && !this.#isLooking) void this.#look();
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    const begun = this.#now;
    const isHeard = await this.#options.probe().catch(() => false);
    if (isHeard) this.heard();
    else if (this.#state.kind === 'suspected') {
      const { sinceMs } = this.#state;
      this.#state = { kind: 'silent', sinceMs };
      this.#options.changed(true, this.#now - sinceMs);
    }
    if (this.#state.kind === 'heard' || this.#now - this.#askedMs > idleMs) {
      this.#isLooking = false;
      return;
    }
    const rest = Math.max(0, probeEveryMs - (this.#now - begun));
    this.#options.clock.setTimer(rest, () => void this.#look(), { unref: true });
  }
}
