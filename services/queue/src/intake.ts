/**
 * SPOOL to WORK: each accepted mail is expanded, routed and put where it can start; what it made is recorded with that of its neighbours; only
 * then SPOOL is acknowledged (design.md, step 6). Order: body into BODIES when anything waits or fans out, then WORK, then OUTCOMES, then
 * the acknowledgement. Never asks PostgreSQL. A stream that is full or away is waited for, with the message kept ours; what cannot be read, or
 * came back more than five times, is parked. Invariant: an acknowledged message has every unit in WORK or in a stored outcome.
 */
import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import { type Delivery, maxDeliveries, spoolParts } from '@postern/stream';
import type { LaneWindows } from './lanes.js';
import type { OutcomePublisher } from './outcome-publisher.js';
import type { Park } from './park.js';
import { type Placement, placementOf } from './placement.js';
import type { Placer, Step } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import type { Renewal } from './renewal.js';
import type { AskRelay } from './rules/ruled-units.js';
import type { TakeApart } from './take-apart.js';

export interface IntakeParts {
  readonly clock: Clock;
  readonly placer: Placer;
  readonly outcomes: OutcomePublisher;
  readonly windows: LaneWindows;
  readonly renewal: Renewal;
  readonly park: Park;
  readonly takeApart: TakeApart;
  readonly policy: () => PolicyInUse;
  readonly relay: (policy: PolicyInUse) => AskRelay | undefined;
  readonly quarantineKeepMs: number;
  readonly observer: IntakeObserver;
  /** Milliseconds after which a part of a batch that waits for room is put back by itself; default 10,000. */
  readonly partStallsMs?: number;
}

export interface IntakeObserver {
  placed(envelope: Envelope, placement: Placement): void;
  /** One mail began to wait for a stream. */
  stalled(step: string, reason: string): void;
  /** It goes on, was put back, or is left to another pod. */
  unstalled(): void;
}

export interface Intake {
  handle(batch: readonly Delivery[]): Promise<void>;
  /** Stops waiting for streams: what is stalled is given back. */
  abort(): void;
}

const stallPauseMs = 1_000;

type Made =
  | { readonly kind: 'placed'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'settled' | 'stopped' };

export function createIntake(parts: IntakeParts): Intake {
  const { clock, placer, outcomes, windows, renewal, park, takeApart, observer, partStallsMs = 10_000 } = parts;
  const aborted = new AbortController();

  /** Repeats until done; false = this pod stops, or `isEnough` said so. */
  const untilDone = async (
    work: (repeated: boolean) => Promise<Step>,
    isEnough: () => Promise<boolean> = () => Promise.resolve(false),
  ): Promise<boolean> => {
    let isStalled = false;
    try {
      for (;;) {
        const step = await work(isStalled);
        if (step.done) return true;
        if (aborted.signal.aborted || (await isEnough())) return false;
        if (!isStalled) observer.stalled(step.step, step.reason);
        isStalled = true;
        await clock.sleep(stallPauseMs, aborted.signal).catch(() => undefined);
      }
    } finally {
      if (isStalled) observer.unstalled();
    }
  };

  const place = async (message: Delivery, envelope: Envelope): Promise<Made> => {
    const again = message.deliveryCount > 1 || message.header('Postern-Again') !== '';
    const policy = parts.policy();
    const placement = placementOf(envelope, {
      policy,
      relay: parts.relay(policy),
      nowMs: clock.now(),
      quarantineKeepMs: parts.quarantineKeepMs,
      admit: (tenant, lane) => windows.admit(tenant, lane),
    });
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
    if ('envelope' in accepted) return place(message, accepted.envelope);
    await park(message, accepted.reason);
    return { kind: 'settled' };
  };

  const work = async (message: Delivery): Promise<void> => {
    const made = await take(message);
    if (made.kind === 'settled') return;
    const isRecorded = made.kind === 'placed' && (await untilDone(() => outcomes.publish(made.outcomes)));
    if (!isRecorded) return message.nak();
    failpoint('queue.after-outcomes-publish');
    message.ack();
  };

  const handleOne = async (message: Delivery): Promise<void> => {
    renewal.hold(message);
    try {
      const whole = await takeApart.whole(message);
      if (whole !== undefined) await allOf(spoolParts(whole).map(work));
    } finally {
      renewal.release(message);
    }
  };
  return {
    handle: (batch) => allOf(batch.map(handleOne)),
    abort: () => aborted.abort(),
  };
}

/** Waits for all of them, whatever becomes of one; then rejects with the first failure. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** A part of a batch is never parked for that: a batch that comes too often is taken apart. */
function tooOften({ deliveryCount, part }: Delivery): { readonly reason: string } | undefined {
  if (part !== undefined || deliveryCount <= maxDeliveries) return undefined;
  return { reason: `delivered ${deliveryCount} times` };
}

const queueIdPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Or why it is no envelope that can be worked on. */
export function readEnvelope(data: Uint8Array): { readonly envelope: Envelope } | { readonly reason: string } {
  let envelope: Envelope;
  try {
    envelope = Envelope.decode(data);
  } catch (error) {
    return { reason: `not an envelope: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (!queueIdPattern.test(envelope.queueId)) return { reason: 'envelope without a queue id' };
  if (envelope.forwardPaths.length === 0) return { reason: 'envelope without recipients' };
  if (envelope.forwardPaths.some(({ tenant, address }) => tenant === '' || address === ''))
    return { reason: 'a forward-path without tenant or address' };
  const place = envelope.body?.place;
  // An empty message is one too: it came with a final dot and nothing before it.
  if (place === undefined || (place.$case === 'bodyId' && place.value === ''))
    return { reason: 'envelope without a body' };
  return { envelope };
}
