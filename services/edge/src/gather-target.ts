/**
 * How many mails the next durable write is worth waiting for, and how long (ADR 15): none, unless the last write carried a crowd. The target follows what
 * comes: up by one when it was reached several times running, down by one when the time ran out first, so that few sessions do not wait for mails that
 * none of them will send.
 */

/** A write with fewer mails says that nothing is gained by waiting. */
const crowd = 3;
/** Beyond this a larger message spares little more. */
const mostMails = 32;
const reachedBeforeMore = 4;

/** Longest wait for a crowd after the last write was answered, milliseconds. */
export const gatherMs = 20;

export class GatherTarget {
  #mails = crowd;
  #reached = 0;
  #isCrowded = false;

  /** Mails that are to be gathered before the next write; 0 = it goes with what there is. */
  get mails(): number {
    return this.#isCrowded ? this.#mails : 0;
  }

  /** So many mails went with the last write. */
  written(mails: number): void {
    this.#isCrowded = mails >= crowd;
  }

  /** What was waited for came. */
  reached(): void {
    this.#reached++;
    if (this.#reached < reachedBeforeMore) return;
    this.#reached = 0;
    this.#mails = Math.min(mostMails, this.#mails + 1);
  }

  /** It did not come in time. */
  missed(): void {
    this.#reached = 0;
    this.#mails = Math.max(crowd, this.#mails - 1);
  }
}
