/**
 * Where log lines leave the process: whole lines, written in the background, in the order they came. A log that cannot be written (disk full, the
 * reader of the pipe gone or asleep) never ends or holds up the process: what waits is bounded, lines beyond it are dropped and counted, the write
 * is tried again later, and the first line after a gap says how many are missing. Nothing here throws or waits for the disk.
 */
import { constants, fstatSync, openSync, write as writeTo } from 'node:fs';
import type { Clock, Timer } from '@postern/clock';

export interface LogSinkOptions {
  readonly fd: number;
  /** At most this many bytes in one write, unless a single line is longer. */
  readonly pieceBytes: number;
  readonly clock: Clock;
  /** So many lines were dropped since this was last called; writing works again. */
  readonly resumed: (lines: number) => void;
  /** A line was dropped. */
  readonly dropped: () => void;
}

type SinkState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'writing' }
  | { readonly kind: 'waiting'; readonly again: Timer };

export const maxWaitingBytes = 1_048_576;
/** A pipe that is full empties soon; a disk does not. */
const fullPipeMs = 20;
const faultMs = 1_000;
/** The last words of a process wait no longer than this. */
export const flushMs = 500;

export class LogSink {
  readonly #options: LogSinkOptions;
  readonly #fd: number;
  #state: SinkState = { kind: 'idle' };
  /** The first is what is being written. */
  readonly #pieces: { bytes: number; text: string | Buffer }[] = [];
  #waitingBytes = 0;
  #untold = 0;
  readonly #flushed = new Set<() => void>();

  constructor(options: LogSinkOptions) {
    this.#options = options;
    this.#fd = withoutBlocking(options.fd);
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#waitingBytes + bytes > maxWaitingBytes) {
      this.#untold += 1;
      this.#options.dropped();
      return;
    }
    this.#waitingBytes += bytes;
    const last = this.#pieces.at(-1);
    const begun = this.#pieces.length === 1 && this.#state.kind !== 'idle';
    if (
      last !== undefined &&
      !begun &&
      typeof last.text === 'string' &&
      last.bytes + bytes <= this.#options.pieceBytes
    ) {
      last.text += line;
      last.bytes += bytes;
    } else this.#pieces.push({ bytes, text: line });
    if (this.#state.kind === 'idle') this.#writeNext();
  }

  /** Resolves when all is written, when writing fails, or after half a second. */
  flush(): Promise<void> {
    if (this.#state.kind === 'idle') return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(flushMs, resolve);
    this.#flushed.add(() => {
      timer.cancel();
      resolve();
    });
    if (this.#state.kind === 'waiting') {
      this.#state.again.cancel();
      this.#writeNext();
    }
    return promise;
  }

  #writeNext(): void {
    const piece = this.#pieces[0];
    if (piece === undefined) {
      this.#state = { kind: 'idle' };
      this.#tellFlushed();
      return;
    }
    this.#state = { kind: 'writing' };
    const whole = typeof piece.text === 'string' ? Buffer.from(piece.text) : piece.text;
    writeTo(this.#fd, whole, (error, written) => {
      if (error === null) this.#written(piece, whole, written);
      else this.#failed(error);
    });
  }

  #written(piece: { bytes: number; text: string | Buffer }, whole: Buffer, written: number): void {
    this.#waitingBytes -= written;
    if (written < whole.length) {
      piece.text = whole.subarray(written);
      piece.bytes = whole.length - written;
    } else this.#pieces.shift();
    if (this.#untold > 0) {
      const lines = this.#untold;
      this.#untold = 0;
      this.#options.resumed(lines);
    }
    this.#writeNext();
  }

  #failed(error: NodeJS.ErrnoException): void {
    const full = error.code === 'EAGAIN';
    const again = this.#options.clock.setTimer(full ? fullPipeMs : faultMs, () => this.#writeNext(), { unref: true });
    this.#state = { kind: 'waiting', again };
    if (!full) this.#tellFlushed();
  }

  #tellFlushed(): void {
    for (const tell of this.#flushed) tell();
    this.#flushed.clear();
  }
}

/** A pipe opened once more, so that a reader who sleeps gives EAGAIN instead of a thread that hangs; where that is not possible the same. */
function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd;
  }
}
