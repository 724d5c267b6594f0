/** An MMDB file, read again when it changes; while a new one cannot be read the old one stays. Looking up never throws. */
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Timer } from '@postern/clock';
import { Reader } from 'mmdb-lib';

export interface MmdbFile {
  /** There is one that can be read. */
  readonly loaded: boolean;
  /** Undefined = the address is not in it, or there is none. */
  get(address: string): unknown;
  /** The first attempt to read it is over. */
  readonly first: Promise<void>;
  stop(): void;
}

export interface MmdbFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly pollMs?: number;
  readonly onLoaded: (nodes: number) => void;
  readonly onRefused: (reason: string) => void;
}

export function openMmdbFile({ file, clock, pollMs = 5_000, onLoaded, onRefused }: MmdbFileOptions): MmdbFile {
  let reader: Reader<never> | undefined;
  let mark = '';
  let timer: Timer | undefined;
  let stopped = false;

  const load = async (): Promise<void> => {
    const { ino, size, mtimeMs } = await stat(file);
    const now = `${ino}:${size}:${mtimeMs}`;
    if (now === mark) return;
    mark = now;
    const next = new Reader<never>(await readFile(file));
    next.get('192.0.2.1');
    reader = next;
    onLoaded(next.metadata.nodeCount);
  };
  const poll = async (): Promise<void> => {
    await load().catch((error: unknown) => onRefused(error instanceof Error ? error.message : 'unreadable'));
    if (!stopped) timer = clock.setTimer(pollMs, () => void poll(), { unref: true });
  };
  return {
    first: poll(),
    get loaded() {
      return reader !== undefined;
    },
    get(address) {
      try {
        return reader?.get(address) ?? undefined;
      } catch {
        return undefined;
      }
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
