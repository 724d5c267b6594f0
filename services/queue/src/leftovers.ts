/**
 * Finds in SPOOL, WORK and OUTCOMES what JetStream will never deliver although it is there: a server that was killed may come back with a consumer that is ahead
 * of its stream (`LeftoverReader`). What the tables prove to be worked on is removed; everything else is worked on now: an envelope and outcomes here, an item by
 * publishing it again. All of it is idempotent, so two pods may do the same. Invariant 3: nothing acknowledged with 250 is lost.
 */
import type { Clock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  batchHeaders,
  consumerOfWork,
  type Delivery,
  intakeConsumer,
  isBackSubject,
  type LeftoverReader,
  outcomesConsumer,
  type Publisher,
  type StoredMessage,
  type StreamName,
  spooledEnvelopes,
  workItems,
} from '@postern/stream';
import type { Database, Statement } from './store/database.js';

export type LeftoverFate = 'removed' | 'worked';

export interface LeftoverParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly database: Database;
  readonly reader: LeftoverReader;
  readonly publisher: Publisher;
  readonly intake: (batch: readonly Delivery[]) => Promise<void>;
  readonly outcomes: (batch: readonly Delivery[]) => Promise<void>;
  readonly onLeftover: (stream: StreamName, fate: LeftoverFate, count: number) => void;
}

/** An acknowledgement and its removal are moments apart; this is not. */
const minimumAgeMs = 10_000;
const perRound = 200;

const unitsOf: Statement = {
  name: 'leftovers-units',
  text: 'SELECT queue_id, recipient, unit_kind IS NOT NULL AS begun, state, attempts FROM mail.recipients WHERE queue_id = ANY($1::text[])',
};

type Unit = {
  readonly queue_id: string;
  readonly recipient: string;
  /** Its creation is recorded; an outcome may come first. */
  readonly begun: boolean;
  readonly state: string;
  readonly attempts: number;
};

/** What the tables must show of a mail that was worked on. */
interface Claim {
  readonly queueId: string;
  readonly isProven: (units: readonly Unit[]) => boolean;
}

function claimOfEnvelope(data: Uint8Array): Claim {
  const { queueId, forwardPaths } = Envelope.decode(data);
  return {
    queueId,
    isProven: (units) =>
      forwardPaths.every(({ address }) => units.some(({ recipient, begun }) => recipient === address && begun)),
  };
}

const claimsOfSpooled = (message: StoredMessage): Claim[] => spooledEnvelopes(message).map(claimOfEnvelope);

function claimOfItem(data: Uint8Array): Claim {
  const { queueId, attempt, recipients } = Item.decode(data);
  const isDone = (address: string, units: readonly Unit[]): boolean =>
    units.some(({ recipient, state, attempts }) => recipient === address && (state !== 'open' || attempts >= attempt));
  return {
    queueId,
    isProven: (units) => recipients.length > 0 && recipients.every(({ address }) => isDone(address, units)),
  };
}

/** What was left to come back is taken apart, whatever the tables say. */
const claimsOfWork = (message: StoredMessage): Claim[] =>
  isBackSubject(message.subject) ? [] : workItems(message).map(claimOfItem);

/** A message that cannot be read claims nothing: whoever works on it parks it. */
function claimsOf(message: StoredMessage, read: (message: StoredMessage) => Claim[]): Claim[] {
  try {
    return read(message);
  } catch {
    return [];
  }
}

export function createLeftoverRound(parts: LeftoverParts): () => Promise<boolean> {
  const { clock, database, reader, publisher } = parts;

  /** As if JetStream had delivered it again; acknowledging removes it. */
  const deliver = (stream: StreamName, { subject, data, sequence, storedAtMs, header }: StoredMessage): Delivery => ({
    subject,
    data,
    sequence,
    deliveryCount: 2,
    pending: 0,
    storedAtMs,
    header,
    ack: () => void reader.remove(stream, sequence).catch(() => undefined),
    ackConfirmed: () => reader.remove(stream, sequence).then(() => true),
    nak: () => undefined,
    working: () => undefined,
  });
  const find = async (stream: StreamName, durableOf: (subject: string) => string): Promise<StoredMessage[]> => {
    const old = await reader.oldest(stream, clock.now() - minimumAgeMs, perRound);
    const floors = new Map<string, number>();
    for (const durable of new Set(old.map(({ subject }) => durableOf(subject)))) {
      floors.set(durable, await reader.acknowledgedUpTo(stream, durable));
    }
    return old.filter(({ sequence, subject }) => sequence <= (floors.get(durableOf(subject)) ?? 0));
  };
  /** Removes what is proven; gives the rest. */
  const withoutProof = async (
    stream: StreamName,
    messages: readonly StoredMessage[],
    read: (message: StoredMessage) => Claim[],
  ): Promise<StoredMessage[]> => {
    const claimed = new Map(messages.map((message) => [message, claimsOf(message, read)]));
    const ids = [...claimed.values()].flatMap((claims) => claims.map(({ queueId }) => queueId));
    const rows = await database.service((transaction) => transaction.query<Unit>(unitsOf, [ids]));
    const units = Map.groupBy(rows, ({ queue_id }) => queue_id);
    const rest: StoredMessage[] = [];
    let removed = 0;
    for (const [message, claims] of claimed) {
      const isProven = claims.length > 0 && claims.every((claim) => claim.isProven(units.get(claim.queueId) ?? []));
      if (!isProven) rest.push(message);
      else {
        await reader.remove(stream, message.sequence);
        removed++;
      }
    }
    if (removed > 0) parts.onLeftover(stream, 'removed', removed);
    return rest;
  };
  const publishAgain = async (message: StoredMessage): Promise<void> => {
    const { subject, data, sequence, storedAtMs } = message;
    const result = await publisher.publish(subject, data, {
      msgId: `again:${sequence}:${storedAtMs}`,
      headers: { 'Postern-Again': '1', ...batchHeaders(message) },
    });
    if (result.kind === 'stored') await reader.remove('WORK', sequence);
  };

  return async () => {
    const outcomes = await find('OUTCOMES', () => outcomesConsumer.durable);
    if (outcomes.length > 0) {
      parts.onLeftover('OUTCOMES', 'worked', outcomes.length);
      await parts.outcomes(outcomes.map((message) => deliver('OUTCOMES', message)));
    }
    const envelopes = await find('SPOOL', () => intakeConsumer.durable);
    const unknown = envelopes.length === 0 ? [] : await withoutProof('SPOOL', envelopes, claimsOfSpooled);
    if (unknown.length > 0) {
      parts.onLeftover('SPOOL', 'worked', unknown.length);
      await parts.intake(unknown.map((message) => deliver('SPOOL', message)));
    }
    const items = await find('WORK', (subject) => consumerOfWork(subject).durable);
    const open = items.length === 0 ? [] : await withoutProof('WORK', items, claimsOfWork);
    if (open.length > 0) {
      parts.onLeftover('WORK', 'worked', open.length);
      for (const message of open) await publishAgain(message);
    }
    return outcomes.length + envelopes.length + items.length >= perRound;
  };
}
