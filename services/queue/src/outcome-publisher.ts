/**
 * Outcomes of this service into OUTCOMES, in messages well below the payload limit of the stream. Outcomes of one queue id that begin it stay in one
 * message, so that one transaction sees all its units (bodies are removed when all known units are closed). What waits may go in another one: whenever that is
 * settled, it leaves its unit open.
 */
import type { Clock } from '@postern/clock';
import { type Outcome, OutcomeBatch, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { outcomesSubject, type Publisher } from '@postern/stream';

export type OutcomesStored =
  | { readonly done: true }
  | { readonly done: false; readonly step: 'outcomes'; readonly reason: string };

export interface OutcomePublisher {
  publish(outcomes: readonly Outcome[]): Promise<OutcomesStored>;
}

const maxOutcomes = 500;
/** A message is closed above this; with what begins one message of 1,000 recipients it stays below 1 MiB. */
const closeAtBytes = 256 * 1024;

const waits = ({ kind }: Outcome): boolean =>
  kind === OutcomeKind.DEFERRED || kind === OutcomeKind.HELD || kind === OutcomeKind.QUARANTINED;

/** Encoded. Splits at changes of queue id, and anywhere in what waits, which comes last. */
export function outcomeMessages(outcomes: readonly Outcome[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let current: Uint8Array[] = [];
  let bytes = 0;
  let last = '';
  const close = (): void => {
    // What several encode to, one behind the other, is the encoding of all of them.
    if (current.length > 0) messages.push(Buffer.concat(current));
    current = [];
    bytes = 0;
  };
  for (const outcome of [...outcomes.filter((one) => !waits(one)), ...outcomes.filter(waits)]) {
    const data = OutcomeBatch.encode({ outcomes: [outcome] }).finish();
    const maySplit = outcome.queueId !== last || waits(outcome);
    if (maySplit && (current.length >= maxOutcomes || bytes + data.length > closeAtBytes)) close();
    last = outcome.queueId;
    current.push(data);
    bytes += data.length;
  }
  close();
  return messages;
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
      outcomeMessages(outcomes).map((data) =>
        publisher.publish(outcomesSubject('queue'), data, { msgId: `q:${newId()}` }),
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
