/**
 * One durable write for the mails that are accepted in the same moments (ADR 10). A mail that finds no write under way is written at once; what comes while
 * one is under way is gathered and goes with the next, when that one is answered, when the gathered fill a message, or after `lingerMs`, so that a write
 * that hangs holds nobody up. After a write that carried a crowd the next waits a moment for another (ADR 15). An answer holds for every mail of its
 * message. Mails and octets of one message are bounded (`spool-batch.ts`); writes under way by the sessions, each of which waits for one mail.
 */
import type { Clock, Timer } from '@postern/clock';
import {
  type Publisher,
  type PublishResult,
  spoolBatchBytes,
  spoolBatchEnvelopes,
  spoolMessage,
  spoolSubject,
} from '@postern/stream';
import { GatherTarget, gatherMs } from './gather-target.js';

export interface GroupCommitOptions {
  readonly publisher: Publisher;
  readonly clock: Clock;
  /** Milliseconds for the durable write in all, gathering included. */
  readonly deadlineMs: number;
  /** Called with the number of mails of each write. */
  readonly onWrite: (mails: number) => void;
}

interface Waiting {
  readonly queueId: string;
  readonly envelope: Uint8Array;
  readonly since: number;
  readonly settle: (result: PublishResult) => void;
}

/** Longest wait behind a write that is under way, milliseconds. */
const lingerMs = 50;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #underWay = 0;
  #linger: Timer | undefined;
  /** Set while more mails are waited for with no write under way. */
  #gathering: Timer | undefined;
  readonly #target = new GatherTarget();

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Stores an encoded envelope; never rejects. */
  store(queueId: string, envelope: Uint8Array): Promise<PublishResult> {
    return new Promise((settle) => {
      if (this.#waitingBytes + envelope.length > spoolBatchBytes) this.#write();
      this.#waiting.push({ queueId, envelope, since: this.#options.clock.monotonic(), settle });
      this.#waitingBytes += envelope.length;
      const isFull = this.#waiting.length >= spoolBatchEnvelopes || this.#waitingBytes >= spoolBatchBytes;
      if (isFull) this.#write();
      else if (this.#underWay > 0) this.#linger ??= this.#options.clock.setTimer(lingerMs, () => this.#write());
      else if (this.#gathering === undefined) this.#write();
      else if (this.#waiting.length >= this.#target.mails) this.#reached();
    });
  }

  /** The last write under way was answered: what came meanwhile goes, or waits for a crowd. */
  #next(): void {
    const { mails } = this.#target;
    if (mails === 0) this.#write();
    else if (this.#waiting.length >= mails) this.#reached();
    else
      this.#gathering = this.#options.clock.setTimer(gatherMs, () => {
        this.#target.missed();
        this.#gathering = undefined;
        this.#write();
      });
  }

  #reached(): void {
    this.#target.reached();
    this.#write();
  }

  #write(): void {
    const [first, ...others] = this.#waiting;
    this.#linger?.cancel();
    this.#linger = undefined;
    this.#gathering?.cancel();
    this.#gathering = undefined;
    if (first === undefined) return;
    const group = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#underWay++;
    this.#options.onWrite(group.length);
    this.#target.written(group.length);
    void this.#publish(first, others).then((result) => {
      this.#underWay--;
      for (const { settle } of group) settle(result);
      if (this.#underWay === 0) this.#next();
    });
  }

  async #publish(first: Waiting, others: readonly Waiting[]): Promise<PublishResult> {
    const { publisher, clock, deadlineMs } = this.#options;
    try {
      const { data, headers } = spoolMessage([first.envelope, ...others.map(({ envelope }) => envelope)]);
      return await publisher.publish(spoolSubject(first.queueId), data, {
        msgId: first.queueId,
        deadlineMs: deadlineMs - (clock.monotonic() - first.since),
        headers,
        repeatHeaders: { 'Postern-Again': 'edge' },
      });
    } catch (error) {
      return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
