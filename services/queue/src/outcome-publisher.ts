/**
 * Outcomes of this service into OUTCOMES, in messages well below the payload limit of the stream. Outcomes of one queue id that begin it stay in one
 * message, so that one transaction sees all its units (bodies are removed when all known units are closed).
 */
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

export function createOutcomePublisher(publisher: Publisher, newId: () => string): OutcomePublisher {
  return {
    async publish(outcomes) {
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
    },
  };
}
