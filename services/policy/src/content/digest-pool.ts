/**
 * Digests of large bodies on threads, so that thirty megabytes hashed for one message hold up no other. Bounded: so many threads, so many bodies at
 * once (one more is hashed here, a chunk at a time), and of each body at most a window of octets on its way. A thread that ends or stops answering
 * takes the digests of its bodies with it (a temporary error, declared) and is replaced by the next body that needs one.
 */
import type { Clock } from '@postern/clock';
import type { BodyDigests } from '@postern/mail-auth';
import { DigestWorker } from './digest-worker.js';
import { type BodyEnding, ThreadDigests } from './thread-digests.js';

export interface DigestPoolOptions {
  readonly clock: Clock;
  /** 0 = everything is hashed on the main thread. */
  readonly threads: number;
  /** Bodies on threads at once. */
  readonly bodies: number;
  /** How long a thread may be silent while something waits for it. */
  readonly patienceMs: number;
  readonly onEnded: (how: BodyEnding) => void;
  readonly onThreadDied: (reason: string) => void;
  readonly program?: URL;
}

export interface DigestPool {
  open(): BodyDigests;
  /** Bodies on threads now. */
  readonly size: number;
  stop(): Promise<void>;
}

export function createDigestPool(options: DigestPoolOptions): DigestPool {
  const { clock, patienceMs, onEnded } = options;
  const program = options.program ?? new URL('./digest-thread.js', import.meta.url);
  const threads = new Set<DigestWorker>();
  let lastBody = 0;
  let stopped = false;

  const size = (): number => [...threads].reduce((sum, { bodies }) => sum + bodies.size, 0);
  const startThread = (): DigestWorker => {
    const started = new DigestWorker(program, (thread, reason) => {
      threads.delete(thread);
      options.onThreadDied(reason);
    });
    threads.add(started);
    return started;
  };
  /** The one with the fewest bodies; a new one while all there are have some. */
  const chooseThread = (): DigestWorker | undefined => {
    if (stopped || options.threads === 0 || size() >= options.bodies) return undefined;
    const [idlest] = [...threads].sort((one, other) => one.bodies.size - other.bodies.size);
    if (idlest !== undefined && (idlest.bodies.size === 0 || threads.size >= options.threads)) return idlest;
    return startThread();
  };

  return {
    open: () => new ThreadDigests({ clock, patienceMs, onEnded, choose: chooseThread, nextBody: () => ++lastBody }),
    get size() {
      return size();
    },
    async stop() {
      stopped = true;
      await Promise.all([...threads].map((thread) => thread.stop()));
      threads.clear();
    },
  };
}
