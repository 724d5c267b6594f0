/** The dialogue as text for the message trace: bounded in lines and length, without secrets and without content. */

export interface TranscriptLine {
  /** Milliseconds since the connection began. */
  readonly atMs: number;
  readonly from: 'client' | 'server';
  readonly text: string;
}

export type TranscriptSink = (line: TranscriptLine) => void;

export interface TranscriptOptions {
  readonly sink: TranscriptSink;
  /** Lines of one connection, default 400. */
  readonly maxLines?: number;
}

const MAX_TEXT = 512;

export class Transcript {
  readonly #options: TranscriptOptions | null;
  readonly #elapsed: () => number;
  #left: number;

  constructor(options: TranscriptOptions | null, elapsed: () => number) {
    this.#options = options;
    this.#elapsed = elapsed;
    this.#left = options === null ? 0 : (options.maxLines ?? 400);
  }

  add(from: 'client' | 'server', text: string): void {
    if (this.#options === null || this.#left === 0) return;
    this.#left -= 1;
    const line = this.#left === 0 ? '(cut here)' : text.slice(0, MAX_TEXT);
    this.#options.sink({ atMs: this.#elapsed(), from, text: line });
  }
}
