/**
 * Outcomes of this service into OUTCOMES, in messages well below the payload limit of the stream. Outcomes of one queue id that begin it stay in one
 * message, so that one transaction sees all its units (bodies are removed when all known units are closed).
 */
import type { Clock } from '@postern/clock';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import { outcomesSubject, type Publisher } from '@postern/stream';

export type OutcomesStored =
  | { readonly done: true }
  | { readonly done: false; readonly step: 'outcomes'; readonly reason: string };

export interface OutcomePublisher {
  publish(outcomes: readonly Outcome[]): Promise<OutcomesStored>;
}

const maxOutcomes = 500;
/** A batch is closed above this; one message of 1,000 recipients stays below 1 MiB. */
const closeAtBytes = 256 * 1024;

const roughBytes = ({ recipients, item, accepted }: Outcome): number =>
  128 + recipients.length * 128 + (item === undefined ? 0 : 1_024) + (accepted === undefined ? 0 : 1_024);

/** Splits at changes of queue id only. */
export function batchesOf(outcomes: readonly Outcome[]): Outcome[][] {
  const batches: Outcome[][] = [];
  let current: Outcome[] = [];
  let bytes = 0;
  let last = '';
  for (const outcome of outcomes) {
    if (outcome.queueId !== last && (current.length >= maxOutcomes || bytes >= closeAtBytes)) {
      batches.push(current);
      current = [];
      bytes = 0;
    }
    last = outcome.queueId;
    current.push(outcome);
    bytes += roughBytes(outcome);
  }
  if (current.length > 0) batches.push(current);
  return batches;
}

export interface OutcomePublisherOptions {
  readonly publisher: Publisher;
  readonly newId: () => string;
  readonly clock: Clock;
  /** How long outcomes are gathered: every message on OUTCOMES is one synced write, and nobody waits for it on the way to a first attempt. */
  readonly lingerMs: number;
}

interface Waiting {
  readonly outcomes: readonly Outcome[];
  readonly settle: (result: OutcomesStored) => void;
}

export function createOutcomePublisher({
  publisher,
  newId,
  clock,
  lingerMs,
}: OutcomePublisherOptions): OutcomePublisher {
  let waiting: Waiting[] = [];

  const send = async (outcomes: readonly Outcome[]): Promise<OutcomesStored> => {
    const results = await Promise.all(
      batchesOf(outcomes).map((batch) =>
        publisher.publish(outcomesSubject('queue'), OutcomeBatch.encode({ outcomes: batch }).finish(), {
          msgId: `q:${newId()}`,
        }),
      ),
    );
    for (const result of results) {
      if (result.kind !== 'stored') return { done: false, step: 'outcomes', reason: result.reason };
    }
    return { done: true };
  };
  const flush = async (): Promise<void> => {
    const taken = waiting;
    waiting = [];
    const result = await send(taken.flatMap(({ outcomes }) => outcomes));
    for (const { settle } of taken) settle(result);
  };
  return {
    publish(outcomes) {
      return new Promise((settle) => {
        waiting.push({ outcomes, settle });
        if (waiting.length === 1) clock.setTimer(lingerMs, () => void flush());
      });
    },
  };
}
