/**
 * SPOOL to WORK: each accepted message is expanded, routed and put where it can start; what it made is recorded as one batch of outcomes; only
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
}

export interface IntakeObserver {
  placed(envelope: Envelope, placement: Placement): void;
  /** Tried again after the pause. */
  stalled(step: string, reason: string): void;
}

export interface Intake {
  handle(batch: readonly Delivery[]): Promise<void>;
  /** Stops waiting for streams: what is stalled is given back. */
  abort(): void;
}

const stallPauseMs = 1_000;

export function createIntake(parts: IntakeParts): Intake {
  const { clock, placer, outcomes, windows, renewal, park, takeApart, observer } = parts;
  const aborted = new AbortController();

  /** Repeats until done; false = this pod stops. */
  const untilDone = async (work: (repeated: boolean) => Promise<Step>): Promise<boolean> => {
    for (let tries = 0; ; tries++) {
      const step = await work(tries > 0);
      if (step.done) return true;
      if (aborted.signal.aborted) return false;
      observer.stalled(step.step, step.reason);
      await clock.sleep(stallPauseMs, aborted.signal).catch(() => undefined);
    }
  };

  /** Outcomes of the message, or undefined when this pod stops. */
  const place = async (envelope: Envelope, again: boolean): Promise<Outcome[] | undefined> => {
    const policy = parts.policy();
    const placement = placementOf(envelope, {
      policy,
      relay: parts.relay(policy),
      nowMs: clock.now(),
      quarantineKeepMs: parts.quarantineKeepMs,
      admit: (tenant, lane) => windows.admit(tenant, lane),
    });
    if (!(await untilDone((repeated) => placer.carryOut(envelope, placement, again || repeated)))) return undefined;
    observer.placed(envelope, placement);
    return placement.outcomes;
  };

  const handle = async (batch: readonly Delivery[]): Promise<void> => {
    for (const message of batch) renewal.hold(message);
    try {
      const envelopes = (await Promise.all(batch.map(takeApart)))
        .flatMap((message) => message ?? [])
        .flatMap(spoolParts);
      const placed = await Promise.all(
        envelopes.map(async (message) => {
          const made = await takeOne(message, place, park);
          if (made === undefined && aborted.signal.aborted) message.nak();
          return made === undefined ? undefined : { message, made };
        }),
      );
      const done = placed.filter((entry) => entry !== undefined);
      if (done.length === 0) return;
      const all = done.flatMap(({ made }) => made);
      const stored = await untilDone(() => outcomes.publish(all));
      if (stored) failpoint('queue.after-outcomes-publish');
      for (const { message } of done) {
        if (stored) message.ack();
        else message.nak();
      }
    } finally {
      for (const message of batch) renewal.release(message);
    }
  };
  return { handle, abort: () => aborted.abort() };
}

/** What one message made; undefined when it was parked or left for redelivery. */
async function takeOne(
  message: Delivery,
  place: (envelope: Envelope, again: boolean) => Promise<Outcome[] | undefined>,
  park: Park,
): Promise<Outcome[] | undefined> {
  const envelope = readEnvelope(message.data);
  if ('reason' in envelope) {
    await park(message, envelope.reason);
    return undefined;
  }
  if (message.deliveryCount > maxDeliveries) {
    await park(message, `delivered ${message.deliveryCount} times`);
    return undefined;
  }
  return place(envelope.envelope, message.deliveryCount > 1 || message.header('Postern-Again') !== '');
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
