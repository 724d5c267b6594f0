/**
 * WORK takes over the mails of one message of SPOOL together, under one Msg-Id made of its first queue id (ADR 14). At the first delivery: their items as one
 * message, where each mail makes exactly one item and nothing else. When the message comes back, nobody knows how far a pod that is gone had come: the
 * message itself is left in WORK under the same Msg-Id. If WORK has the items, or the message, it says so and keeps one; whichever it is carries every mail.
 * What was left is removed from SPOOL and taken apart into single mails (`take-apart.ts`), whose items WORK refuses where it has them.
 */
import { failpoint } from '@postern/lifecycle';
import { Item } from '@postern/proto/mail/v1/item';
import { type Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import {
  type BatchMessage,
  backSubject,
  batchHeaders,
  type Delivery,
  isBackSubject,
  type LeftoverReader,
  type Publisher,
  spooledEnvelopes,
  spooledHeader,
  takeOverId,
  workMessage,
  workSubject,
} from '@postern/stream';
import type { BatchObserver } from './batch-observer.js';
import type { Placement } from './placement.js';
import type { Step } from './placer.js';
import { readEnvelope } from './read-envelope.js';

export interface TakeOver {
  /** The items of these placements as one message; undefined = they do not go together. */
  together(placements: readonly Placement[]): TogetherMessage | undefined;
  /** `first`: queue id of the first mail. `again`: its items may have been placed before. */
  place(message: Delivery, first: string, together: TogetherMessage, again: boolean): Promise<TakenOver>;
  /** Leaves a message that came back. */
  leave(message: Delivery): Promise<TakenOver>;
  /** The message of SPOOL that this one was needs to be there no longer. */
  dropSpooled(left: Delivery): Promise<void>;
}

export interface TogetherMessage {
  readonly subject: string;
  readonly message: BatchMessage;
}

export interface TakenOver {
  readonly step: Step;
  /** WORK took its items, now or before; else, when done, it was left. */
  readonly wasPlaced: boolean;
}

const publishDeadlineMs = 20_000;
/** A time is told in two ways, and read to the millisecond. */
const readingMs = 1;

const notTaken = (reason: string): TakenOver => ({ step: { done: false, step: 'work', reason }, wasPlaced: false });
const mark = { 'Postern-Again': 'queue' };

/** What began a unit, and nothing that ended one or made one wait. */
export const isCreation = ({ kind }: Outcome): boolean =>
  kind === OutcomeKind.ACCEPTED || kind === OutcomeKind.EXPANDED;

/** The one item it makes, when that is all it makes. */
function onlyItem({ work, waiting, bodyToStore, outcomes }: Placement): Item | undefined {
  if (work.length !== 1 || waiting > 0 || bodyToStore || !outcomes.every(isCreation)) return undefined;
  return work[0];
}

const poolOf = ({ route }: Item): string => route?.egressPool ?? 'default';

export function createTakeOver(
  publisher: Publisher,
  reader: Pick<LeftoverReader, 'at' | 'remove'>,
  observer: Pick<BatchObserver, 'left'>,
): TakeOver {
  // The leader of the stream is asked: a replica that lags would have mail recorded that was only left, or not recorded that was placed.
  /** A sequence may be given anew by a server that was killed: the time tells them apart. */
  const isSpooled = async (sequence: number, storedAtMs: number): Promise<boolean> => {
    const found = await reader.at('SPOOL', sequence);
    return found !== undefined && Math.abs(found.storedAtMs - storedAtMs) <= readingMs;
  };
  /** What WORK took under this Msg-Id. Once it is gone: what was left is removed from SPOOL before that. */
  const wasPlaced = async (workSequence: number, { sequence, storedAtMs }: Delivery): Promise<boolean> => {
    const taken = await reader.at('WORK', workSequence);
    return taken === undefined ? isSpooled(sequence, storedAtMs) : !isBackSubject(taken.subject);
  };
  return {
    together(placements) {
      const items: Item[] = [];
      for (const placement of placements) {
        const item = onlyItem(placement);
        if (item === undefined) return undefined;
        items.push(item);
      }
      const [first] = items;
      if (first === undefined || items.some((item) => poolOf(item) !== poolOf(first))) return undefined;
      const message = workMessage(items.map((item) => Item.encode(item).finish()));
      return message && { subject: workSubject(poolOf(first), first.queueId), message };
    },
    async place(message, first, together, again) {
      const { subject } = together;
      const { data, headers } = together.message;
      const result = await publisher.publish(subject, data, {
        msgId: takeOverId(first),
        deadlineMs: publishDeadlineMs,
        headers: again ? { ...headers, ...mark } : headers,
        repeatHeaders: mark,
      });
      if (result.kind !== 'stored') return notTaken(result.reason);
      failpoint('queue.after-work-publish');
      // Another pod may have left it while this one was paused.
      return { step: { done: true }, wasPlaced: !result.duplicate || (await wasPlaced(result.sequence, message)) };
    },
    async leave(message) {
      const envelopes = spooledEnvelopes(message);
      const result = await publisher.publish(backSubject(message.subject), message.data, {
        msgId: takeOverId(nameOf(message, envelopes)),
        deadlineMs: publishDeadlineMs,
        headers: {
          ...batchHeaders(message),
          [spooledHeader]: `${message.sequence}:${message.storedAtMs}`,
          'Postern-Again': 'left',
        },
      });
      if (result.kind !== 'stored') return notTaken(result.reason);
      failpoint('queue.after-leave');
      const isPlaced = result.duplicate && (await wasPlaced(result.sequence, message));
      observer.left(message, isPlaced ? 'placed' : 'left');
      return { step: { done: true }, wasPlaced: isPlaced };
    },
    async dropSpooled(left) {
      const [sequence, storedAtMs] = left.header(spooledHeader).split(':').map(Number);
      if (sequence === undefined || storedAtMs === undefined || !(await isSpooled(sequence, storedAtMs))) return;
      await reader.remove('SPOOL', sequence);
    },
  };
}

/** The queue id of its first mail, which names it in a copy that was stored again too. Mails are never placed together where that cannot be read. */
function nameOf({ sequence, storedAtMs }: Delivery, [first]: readonly Uint8Array[]): string {
  const read = first === undefined ? undefined : readEnvelope(first);
  return read !== undefined && 'envelope' in read ? read.envelope.queueId : `${sequence}:${storedAtMs}`;
}
