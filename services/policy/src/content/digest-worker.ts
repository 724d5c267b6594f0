/** One digest thread as the main thread sees it: the bodies it has, and how it ends. All of them are lost with it. */
import { Worker } from 'node:worker_threads';
import type { DigestsByForm } from '@postern/mail-auth';
import type { FromThread, ToThread } from './digest-messages.js';

export interface OnThread {
  taken(bytes: number): void;
  done(digests: DigestsByForm): void;
  lost(): void;
}

export class DigestWorker {
  readonly bodies = new Map<number, OnThread>();
  readonly #worker: Worker;
  readonly #onDied: (thread: DigestWorker, reason: string) => void;
  #dead = false;

  constructor(program: URL, onDied: (thread: DigestWorker, reason: string) => void) {
    this.#onDied = onDied;
    this.#worker = new Worker(program);
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => {
      const body = this.bodies.get(message.body);
      if (message.kind === 'taken') body?.taken(message.bytes);
      else body?.done(message.digests);
    });
    this.#worker.on('error', (error) => this.#die(error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', (code) => this.#die(`ended with ${code}`));
  }

  tell(message: ToThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  stalled(): void {
    this.#die('does not answer');
    void this.#worker.terminate();
  }

  async stop(): Promise<void> {
    this.#dead = true;
    await this.#worker.terminate();
    this.#lose();
  }

  #die(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#onDied(this, reason);
    this.#lose();
  }

  #lose(): void {
    for (const body of [...this.bodies.values()]) body.lost();
    this.bodies.clear();
  }
}
