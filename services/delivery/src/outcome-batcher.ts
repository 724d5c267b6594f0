/**
 * Gathers outcomes of many items into few messages on OUTCOMES. An item is acknowledged only by whoever awaited `add`, after the stream has
 * acknowledged the batch. A batch leaves at `maxOutcomes` or after `lingerMs`, whichever comes first; bounded by the worker's concurrency.
 */

import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import { outcomesSubject, type Publisher, type PublishResult } from '@postern/stream';

const maxOutcomes = 128;
/** Stays far below the 1 MiB limit of a NATS message, with what one item of 100 recipients may add. */
const maxBytes = 512 * 1024;

export interface OutcomeBatcher {
  /** Resolves when the outcomes are stored; anything but `stored` means: do not acknowledge the item. */
  add(outcomes: readonly Outcome[]): Promise<PublishResult>;
  /** Sends what is gathered. */
  flush(): void;
}

export interface OutcomeBatcherOptions {
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly lingerMs: number;
  readonly deadlineMs: number;
}

export function createOutcomeBatcher(options: OutcomeBatcherOptions): OutcomeBatcher {
  /** Encoded: what several encode to, one behind the other, is the encoding of all of them. */
  let gathered: Uint8Array[] = [];
  let count = 0;
  let bytes = 0;
  let waiters: ((result: PublishResult) => void)[] = [];
  let scheduled = false;

  const flush = (): void => {
    if (gathered.length === 0) return;
    const data = Buffer.concat(gathered);
    const notify = waiters;
    gathered = [];
    waiters = [];
    count = 0;
    bytes = 0;
    failpoint('delivery.before-outcome-publish');
    void options.publisher
      .publish(outcomesSubject('delivery'), data, { msgId: `o:${options.newId()}`, deadlineMs: options.deadlineMs })
      .then((result) => {
        if (result.kind === 'stored') failpoint('delivery.after-outcome-publish');
        for (const waiter of notify) waiter(result);
      });
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    options.clock.setTimer(options.lingerMs, () => {
      scheduled = false;
      flush();
    });
  };
  return {
    add(added) {
      const data = OutcomeBatch.encode({ outcomes: [...added] }).finish();
      if (bytes + data.length > maxBytes) flush();
      gathered.push(data);
      count += added.length;
      bytes += data.length;
      return new Promise((resolve) => {
        waiters.push(resolve);
        if (count >= maxOutcomes || bytes >= maxBytes) flush();
        else schedule();
      });
    },
    flush,
  };
}
