/**
 * SPOOL to WORK: each accepted mail is expanded, routed and put where it can start; what it made is recorded with that of its neighbours; only
 * then SPOOL is acknowledged (design.md, step 6). Order: body into BODIES when anything waits or fans out, then WORK, then OUTCOMES, then
 * the acknowledgement. Never asks PostgreSQL. A stream that is full or away is waited for, with the message kept ours; what cannot be read, or
 * came back more than five times, is parked. Mails of one message whose items can go together do (`take-over.ts`), else each goes by itself.
 * Invariant: an acknowledged message has every unit in WORK or in a stored outcome.
 */
import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import { type Delivery, type MetServer, maxDeliveries, spoolParts } from '@postern/stream';
import type { LaneWindows } from './lanes.js';
import type { OutcomePublisher } from './outcome-publisher.js';
import type { Park } from './park.js';
import { type Placement, placementOf } from './placement.js';
import type { Placer } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import { readEnvelope } from './read-envelope.js';
import type { Renewal } from './renewal.js';
import type { AskRelay } from './rules/ruled-units.js';
import type { TakeApart } from './take-apart.js';
import { isCreation, type TakenOver, type TakeOver } from './take-over.js';
import { type StallObserver, untilDoneWith } from './until-done.js';

export interface IntakeParts {
  readonly clock: Clock;
  readonly placer: Placer;
  readonly outcomes: OutcomePublisher;
  readonly windows: LaneWindows;
  readonly renewal: Renewal;
  readonly park: Park;
  readonly takeApart: TakeApart;
  readonly takeOver: TakeOver;
  readonly policy: () => PolicyInUse;
  readonly relay: (policy: PolicyInUse) => AskRelay | undefined;
  readonly quarantineKeepMs: number;
  readonly observer: IntakeObserver;
  readonly met: Pick<MetServer, 'isInDoubt' | 'isFromBeforeLoss'>;
  /** Milliseconds after which a part of a batch that waits for room is put back by itself; default 10,000. */
  readonly partStallsMs?: number;
}

export interface IntakeObserver extends StallObserver {
  placed(envelope: Envelope, placement: Placement): void;
}

export interface Intake {
  handle(batch: readonly Delivery[]): Promise<void>;
  /** A batch that was left in WORK (`take-over.ts`). */
  handleLeft(message: Delivery): Promise<void>;
  /** Stops waiting for streams: what is stalled is given back. */
  abort(): void;
}

interface Planned {
  readonly envelope: Envelope;
  readonly placement: Placement;
}

type Made =
  | { readonly kind: 'placed'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'settled' | 'stopped' };

export function createIntake(parts: IntakeParts): Intake {
  const { clock, placer, outcomes, windows, renewal, park, takeApart, takeOver, observer } = parts;
  const { partStallsMs = 10_000 } = parts;
  const aborted = new AbortController();

  const untilDone = untilDoneWith(clock, observer, aborted.signal);

  /** Undefined = this pod stops. */
  const takenOver = async (take: (repeated: boolean) => Promise<TakenOver>): Promise<TakenOver | undefined> => {
    let taken: TakenOver | undefined;
    const isDone = await untilDone(async (repeated) => {
      taken = await take(repeated);
      return taken.step;
    });
    return isDone ? taken : undefined;
  };

  const plan = (envelope: Envelope, admit: LaneWindows['admit']): Placement => {
    const policy = parts.policy();
    return placementOf(envelope, {
      policy,
      relay: parts.relay(policy),
      nowMs: clock.now(),
      quarantineKeepMs: parts.quarantineKeepMs,
      admit,
    });
  };
  const planned = (envelope: Envelope): Planned => ({ envelope, placement: plan(envelope, windows.admit) });

  const place = async (message: Delivery, { envelope, placement }: Planned): Promise<Made> => {
    const again = mayBeKnown(message) || parts.met.isInDoubt(message.storedAtMs);
    const putBackFrom = clock.monotonic() + partStallsMs;
    let isPutBack = false;
    const isPlaced = await untilDone(
      (repeated) => placer.carryOut(envelope, placement, again || repeated),
      async () => {
        isPutBack = clock.monotonic() >= putBackFrom && (await takeApart.part(message));
        return isPutBack;
      },
    );
    if (!isPlaced) return { kind: isPutBack ? 'settled' : 'stopped' };
    observer.placed(envelope, placement);
    return { kind: 'placed', outcomes: placement.outcomes };
  };

  const take = async (message: Delivery): Promise<Made> => {
    const read = readEnvelope(message.data);
    const accepted = 'envelope' in read ? (tooOften(message) ?? read) : read;
    if ('envelope' in accepted) return place(message, planned(accepted.envelope));
    await park(message, accepted.reason);
    return { kind: 'settled' };
  };

  const record = async (made: readonly Outcome[]): Promise<boolean> =>
    made.length === 0 || untilDone(() => outcomes.publish(made));
  const finish = async (message: Delivery, made: Made): Promise<void> => {
    if (made.kind === 'settled') return;
    const isRecorded = made.kind === 'placed' && (await record(made.outcomes));
    if (!isRecorded) return message.nak();
    failpoint('queue.after-outcomes-publish');
    message.ack();
  };
  const work = async (message: Delivery): Promise<void> => finish(message, await take(message));

  /** Their items as one message, if that is what they make; else each by itself. */
  const takeBatch = async (message: Delivery, mails: readonly Delivery[]): Promise<void> => {
    const reads = mails.map(({ data }) => readEnvelope(data));
    const envelopes = reads.flatMap((read) => ('envelope' in read ? [read.envelope] : []));
    const [first] = envelopes;
    if (first === undefined || envelopes.length < mails.length) return allOf(mails.map(work));
    const plans = envelopes.map(planned);
    const together = takeOver.together(plans.map(({ placement }) => placement));
    if (together === undefined)
      return allOf(
        plans.map(async (one, index) => {
          const mail = mails[index];
          if (mail !== undefined) await finish(mail, await place(mail, one));
        }),
      );
    const again = parts.met.isInDoubt(message.storedAtMs);
    const taken = await takenOver((repeated) => takeOver.place(message, first.queueId, together, again || repeated));
    if (taken === undefined) return message.nak();
    if (!taken.wasPlaced) return message.ack();
    windows.together(plans.length);
    for (const { envelope, placement } of plans) observer.placed(envelope, placement);
    return finish(message, { kind: 'placed', outcomes: plans.flatMap(({ placement }) => placement.outcomes) });
  };

  /** What a pod that is gone may not have recorded of mails whose items WORK took. */
  const creationsOf = (mails: readonly Delivery[]): Outcome[] => {
    const envelopes = mails.flatMap(({ data }) => {
      const read = readEnvelope(data);
      return 'envelope' in read ? [read.envelope] : [];
    });
    return envelopes.flatMap((envelope) => plan(envelope, () => true).outcomes.filter(isCreation));
  };

  const leave = async (message: Delivery, mails: readonly Delivery[]): Promise<void> => {
    const left = await takenOver(() => takeOver.leave(message));
    if (left === undefined) return message.nak();
    return finish(message, { kind: 'placed', outcomes: left.wasPlaced ? creationsOf(mails) : [] });
  };

  const handleOne = async (message: Delivery): Promise<void> => {
    renewal.hold(message);
    try {
      const mails = spoolParts(message);
      const [only] = mails;
      if (only !== undefined && mails.length === 1) await work(only);
      // A pod that never lost the server trusts its counts: what has waited for a pod is not taken apart.
      else if (mayBeKnown(message) || parts.met.isFromBeforeLoss(message.storedAtMs)) await leave(message, mails);
      else await takeBatch(message, mails);
    } finally {
      renewal.release(message);
    }
  };
  const handleLeft = async (message: Delivery): Promise<void> => {
    renewal.hold(message);
    try {
      await takeOver.dropSpooled(message);
      // Room comes from working on what is there.
      if (!(await takeApart.whole(message))) await allOf(spoolParts(message).map(work));
    } finally {
      renewal.release(message);
    }
  };
  return {
    handle: (batch) => allOf(batch.map(handleOne)),
    handleLeft,
    abort: () => aborted.abort(),
  };
}

/** It was given out before, or stored before. */
const mayBeKnown = ({ deliveryCount, header }: Delivery): boolean =>
  deliveryCount > 1 || header('Postern-Again') !== '';

/** Waits for all of them, whatever becomes of one; then rejects with the first failure. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** A part of a batch is never parked for that: a batch that comes again is left in WORK. */
function tooOften({ deliveryCount, part }: Delivery): { readonly reason: string } | undefined {
  if (part !== undefined || deliveryCount <= maxDeliveries) return undefined;
  return { reason: `delivered ${deliveryCount} times` };
}
