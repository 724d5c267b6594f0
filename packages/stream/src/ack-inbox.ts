/**
 * Acknowledgements of published messages, on one subscription for all of them. The client's own request makes an Error, a timer and a race of promises
 * for each call, a twentieth of all CPU of a process that publishes every message; here one timer looks after all that wait.
 * Bounded by the callers, which each wait for one answer; a lost connection ends all waits at once.
 */

import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import type { Clock, Timer } from '@postern/clock';

export type AckAnswer =
  | { readonly kind: 'message'; readonly message: Msg }
  /** Nothing came in time, or the connection was lost: what was published may have arrived. */
  | { readonly kind: 'none'; readonly reason: string };

interface Waiting {
  readonly dueAt: number;
  readonly resolve: (answer: AckAnswer) => void;
}

/** How often the deadlines are looked at, so how late one may be noticed; milliseconds. */
const lookEveryMs = 100;

export class AckInbox {
  readonly #waiting = new Map<string, Waiting>();
  readonly #prefix: string;
  #next = 0;
  #timer: Timer | undefined;

  constructor(
    private readonly nats: NatsConnection,
    inbox: string,
    private readonly clock: Clock,
  ) {
    this.#prefix = `${inbox}.`;
    nats.subscribe(`${this.#prefix}*`, { callback: (error, message) => this.#answered(error, message) });
    void this.#watchConnection();
  }

  /** Publish, and wait for the answer at most `timeoutMs`. */
  request(subject: string, data: Uint8Array, headers: MsgHdrs, timeoutMs: number): Promise<AckAnswer> {
    const token = (this.#next++).toString(36);
    return new Promise((resolve) => {
      this.#waiting.set(token, { dueAt: this.clock.monotonic() + timeoutMs, resolve });
      this.#look();
      try {
        this.nats.publish(subject, data, { reply: this.#prefix + token, headers });
      } catch (error) {
        this.#settle(token, { kind: 'none', reason: error instanceof Error ? error.message : String(error) });
      }
    });
  }

  #settle(token: string, answer: AckAnswer): void {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) return;
    this.#waiting.delete(token);
    waiting.resolve(answer);
  }

  #answered(error: Error | null, message: Msg): void {
    if (error === null) this.#settle(message.subject.slice(this.#prefix.length), { kind: 'message', message });
  }

  #look(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.clock.setTimer(lookEveryMs, () => {
      this.#timer = undefined;
      const now = this.clock.monotonic();
      for (const [token, { dueAt }] of this.#waiting) {
        if (dueAt <= now) this.#settle(token, { kind: 'none', reason: 'no acknowledgement in time' });
      }
      if (this.#waiting.size > 0) this.#look();
    });
  }

  async #watchConnection(): Promise<void> {
    for await (const { type } of this.nats.status()) {
      if (type === 'disconnect') this.#endAll('connection lost');
    }
    this.#endAll('connection closed');
  }

  #endAll(reason: string): void {
    for (const token of [...this.#waiting.keys()]) this.#settle(token, { kind: 'none', reason });
  }
}
