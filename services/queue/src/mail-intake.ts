/**
 * One mail of SPOOL, a message of its own or one of several: expanded, routed and put where it can start; then what it made is recorded; only then it is
 * acknowledged. A stream that is full or away is waited for. What cannot be read, or came back more than five times, is parked; one of several that waits
 * long for room is put back by itself (`take-apart.ts`), so that the others are acknowledged.
 */
import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import { type Delivery, type MetServer, maxDeliveries } from '@postern/stream';
import type { LaneWindows } from './lanes.js';
import type { OutcomePublisher } from './outcome-publisher.js';
import type { Park } from './park.js';
import { type Placement, placementOf } from './placement.js';
import type { Placer } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import { readEnvelope } from './read-envelope.js';
import type { AskRelay } from './rules/ruled-units.js';
import type { TakeApart } from './take-apart.js';
import type { StallObserver, UntilDone } from './until-done.js';

export interface MailIntakeParts {
  readonly clock: Clock;
  readonly placer: Placer;
  readonly outcomes: OutcomePublisher;
  readonly windows: LaneWindows;
  readonly park: Park;
  readonly takeApart: TakeApart;
  readonly policy: () => PolicyInUse;
  readonly relay: (policy: PolicyInUse) => AskRelay | undefined;
  readonly quarantineKeepMs: number;
  readonly observer: IntakeObserver;
  readonly met: Pick<MetServer, 'isInDoubt'>;
  /** Milliseconds after which a part of a batch that waits for room is put back by itself; default 10,000. */
  readonly partStallsMs?: number;
}

export interface IntakeObserver extends StallObserver {
  placed(envelope: Envelope, placement: Placement): void;
}

export type Made =
  | { readonly kind: 'placed'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'settled' | 'stopped' };

export interface MailIntake {
  /** `admit`: what may start now; by default what its window says, which then counts it. */
  plan(envelope: Envelope, admit?: LaneWindows['admit']): Placement;
  place(message: Delivery, envelope: Envelope, placement: Placement): Promise<Made>;
  /** Records what was made, then acknowledges. */
  finish(message: Delivery, made: Made): Promise<void>;
  /** All of it. */
  work(message: Delivery): Promise<void>;
}

export function createMailIntake(parts: MailIntakeParts, untilDone: UntilDone): MailIntake {
  const { clock, placer, outcomes, windows, park, takeApart, observer, partStallsMs = 10_000 } = parts;

  const plan: MailIntake['plan'] = (envelope, admit = windows.admit) => {
    const policy = parts.policy();
    return placementOf(envelope, {
      policy,
      relay: parts.relay(policy),
      nowMs: clock.now(),
      quarantineKeepMs: parts.quarantineKeepMs,
      admit,
    });
  };

  const place: MailIntake['place'] = async (message, envelope, placement) => {
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
    if ('envelope' in accepted) return place(message, accepted.envelope, plan(accepted.envelope));
    await park(message, accepted.reason);
    return { kind: 'settled' };
  };

  const record = async (made: readonly Outcome[]): Promise<boolean> =>
    made.length === 0 || untilDone(() => outcomes.publish(made));
  const finish: MailIntake['finish'] = async (message, made) => {
    if (made.kind === 'settled') return;
    const isRecorded = made.kind === 'placed' && (await record(made.outcomes));
    if (!isRecorded) return message.nak();
    failpoint('queue.after-outcomes-publish');
    message.ack();
  };
  return { plan, place, finish, work: async (message) => finish(message, await take(message)) };
}

/** It was given out before, or stored before. */
export const mayBeKnown = ({ deliveryCount, header }: Delivery): boolean =>
  deliveryCount > 1 || header('Postern-Again') !== '';

/** A part of a batch is never parked for that: a batch that comes again is left in WORK. */
function tooOften({ deliveryCount, part }: Delivery): { readonly reason: string } | undefined {
  if (part !== undefined || deliveryCount <= maxDeliveries) return undefined;
  return { reason: `delivered ${deliveryCount} times` };
}
