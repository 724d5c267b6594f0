/**
 * What a client says before its banner (RFC 5321 §4.3.1: the server speaks first). Where the banner waits for silence, the first octet is one too many. Where it
 * does not, nobody can tell a hasty client from a slow answer of ours: its words wait for the banner, and are heard after it.
 */

export class EarlyTalk {
  readonly #onTooSoon: (line: string) => void;
  #isListening = false;
  #said: string | undefined;
  #release: (() => void) | undefined;

  /** `onTooSoon`: with the line, empty = none that is whole and well-formed. */
  constructor(onTooSoon: (line: string) => void) {
    this.#onTooSoon = onTooSoon;
  }

  /** The banner waits for silence from now on; what was said already has broken it. */
  listen(): void {
    this.#isListening = true;
    if (this.#said !== undefined) this.#onTooSoon(this.#said);
  }

  spoke(line = ''): void {
    this.#said ||= line;
    if (this.#isListening) this.#onTooSoon(line);
  }

  /** Settles when the banner is out. */
  hold(line?: string): Promise<void> {
    this.spoke(line);
    return new Promise((resolve) => (this.#release = resolve));
  }

  /** The banner is out. */
  over(): void {
    this.#release?.();
  }
}
