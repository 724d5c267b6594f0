/**
 * The digests of one large body, made on a thread; where there is none for it, here, a chunk at a time. At most a window of octets is on its way;
 * a thread that is silent for too long while something waits for it is given up with all it has.
 */
import type { Clock, Timer } from '@postern/clock';
import { type BodyDigests, type BodyForm, type DigestsByForm, keyOf, OwnDigests } from '@postern/mail-auth';
import type { DigestWorker } from './digest-worker.js';

export const bodyEndings = ['thread', 'inline', 'died', 'late'] as const;
export type BodyEnding = (typeof bodyEndings)[number];

export interface ThreadDigestsOptions {
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly onEnded: (how: BodyEnding) => void;
  /** Undefined = none is to be had. */
  readonly choose: () => DigestWorker | undefined;
  readonly nextBody: () => number;
}

const window = 1_048_576;
const noDigests: DigestsByForm = new Map();

/** Memory with nothing else in it than a chunk and what framed it on the wire; never that of a pool, whose parts are smaller. */
const framing = 64;
const smallestOwn = 131_072;

/** The chunk itself where its memory is its own. */
function ownOctets({ buffer, byteLength, byteOffset }: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const isOwn = byteLength >= smallestOwn && buffer.byteLength - byteLength <= framing;
  return isOwn && buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, byteLength) : undefined;
}

export class ThreadDigests implements BodyDigests {
  readonly #options: ThreadDigestsOptions;
  readonly #forms = new Map<string, BodyForm>();
  readonly #answer = Promise.withResolvers<DigestsByForm>();
  #route: 'none' | { readonly thread: DigestWorker; readonly body: number } | OwnDigests = 'none';
  #underway = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #timer: Timer | undefined;
  #ended = false;

  constructor(options: ThreadDigestsOptions) {
    this.#options = options;
  }

  get wanted(): boolean {
    return this.#forms.size > 0;
  }

  want(form: BodyForm): void {
    this.#forms.set(keyOf(form), form);
  }

  update(chunk: Uint8Array, isGiven = false): Promise<void> | undefined {
    if (!this.wanted || this.#ended) return undefined;
    const route = this.#open();
    if (route instanceof OwnDigests) return route.update(chunk);
    const octets = (isGiven ? ownOctets(chunk) : undefined) ?? new Uint8Array(chunk);
    this.#underway += octets.length;
    route.thread.tell({ kind: 'chunk', body: route.body, octets }, [octets.buffer]);
    if (this.#underway < window) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    this.#watch(route.thread);
    return this.#room.promise;
  }

  finish(): DigestsByForm | Promise<DigestsByForm> {
    if (!this.wanted) return noDigests;
    const route = this.#open();
    if (route instanceof OwnDigests) {
      if (!this.#ended) this.#options.onEnded('inline');
      this.#ended = true;
      return route.finish();
    }
    if (!this.#ended) {
      this.#ended = true;
      route.thread.tell({ kind: 'end', body: route.body });
      this.#watch(route.thread);
    }
    return this.#answer.promise;
  }

  drop(): void {
    if (typeof this.#route === 'string' || this.#route instanceof OwnDigests) return;
    const { thread, body } = this.#route;
    if (!thread.bodies.delete(body)) return;
    thread.tell({ kind: 'drop', body });
    this.#settle(noDigests);
  }

  #open(): { readonly thread: DigestWorker; readonly body: number } | OwnDigests {
    if (this.#route !== 'none') return this.#route;
    const thread = this.#options.choose();
    const forms = [...this.#forms.values()];
    if (thread === undefined) {
      const own = new OwnDigests();
      for (const form of forms) own.want(form);
      this.#route = own;
      return own;
    }
    const body = this.#options.nextBody();
    thread.bodies.set(body, {
      taken: (bytes) => this.#taken(bytes, thread),
      done: (digests) => this.#end('thread', thread, body, digests),
      lost: () => this.#end('died', thread, body, noDigests),
    });
    thread.tell({ kind: 'start', body, forms });
    this.#route = { thread, body };
    return this.#route;
  }

  #taken(bytes: number, thread: DigestWorker): void {
    this.#underway -= bytes;
    if (this.#timer !== undefined) this.#watch(thread);
    if (this.#underway >= window) return;
    this.#room?.resolve();
    this.#room = undefined;
    if (!this.#ended) this.#unwatch();
  }

  /** Counted from the last sign of life. */
  #watch(thread: DigestWorker): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(this.#options.patienceMs, () => {
      this.#options.onEnded('late');
      thread.stalled();
    });
  }

  #unwatch(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #end(how: BodyEnding, thread: DigestWorker, body: number, digests: DigestsByForm): void {
    thread.bodies.delete(body);
    this.#options.onEnded(how);
    this.#settle(digests);
  }

  #settle(digests: DigestsByForm): void {
    this.#ended = true;
    this.#unwatch();
    this.#room?.resolve();
    this.#answer.resolve(digests);
  }
}
