/** A worker among doubles, for tests: what it looks up, tries, stores and parks is written down, and messages of WORK for it. */
import type { BodyStore } from '@postern/body-store';
import type { Clock } from '@postern/clock';
import { Item, NextHop } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { type Delivery, type PublishResult, workMessage } from '@postern/stream';
import { createRenewals } from '../renewals.js';
import type { Attempt, AttemptResult } from '../transport.js';
import { createWorker } from '../worker.js';

export const item = (queueId: string): Item =>
  Item.fromPartial({
    itemId: `${queueId}:7:1`,
    queueId,
    attempt: 1,
    tenant: 'acme',
    route: { lane: 'main', egressPool: 'default' },
    recipients: [{ address: 'ann@acme.test' }],
  });

export const delivered = (queueId: string): Outcome =>
  Outcome.fromPartial({
    kind: OutcomeKind.DELIVERED,
    queueId,
    tenant: 'acme',
    attempt: 1,
    recipients: [{ address: 'ann@acme.test', replyCode: 250 }],
  });

/** What the next hop says to all of it. */
export const taken = ({ item: { recipients } }: Attempt): AttemptResult => {
  const answer = { disposition: 'accepted', code: 250, enhanced: '2.0.0', text: 'ok', maybeDelivered: false } as const;
  return { kind: 'answered', answers: recipients.map(({ address }) => ({ address, ...answer })), tlsVersion: '' };
};

export interface WorkerStageOptions {
  readonly isInDoubt?: (storedAtMs: number) => boolean;
  readonly clock: Clock;
  /** Done marks that are there, by queue id. */
  readonly marked?: readonly string[];
  /** Redis is away. */
  readonly marksAway?: boolean;
  readonly attempt?: (attempt: Attempt) => Promise<AttemptResult>;
  /** What OUTCOMES says of those of a mail. */
  readonly store?: (queueId: string) => Promise<PublishResult>;
}

/** Queue ids, in order. */
interface Seen {
  readonly lookedUp: string[];
  readonly attempted: string[];
  readonly recorded: string[];
  readonly notStored: string[];
  readonly fenced: string[];
  readonly mayRepeat: string[];
  /** Place in the message; undefined = the message itself. */
  readonly parked: (number | undefined)[];
}

const unused = (): never => {
  throw new Error('not asked for here');
};
const bodies: BodyStore = {
  write: unused,
  put: unused,
  read: unused,
  stat: unused,
  remove: unused,
  removeDropped: unused,
  list: unused,
};
const hop = { host: 'mx.test', address: '192.0.2.1', settings: NextHop.fromPartial({ host: 'mx.test' }) };
export const storedResult: PublishResult = { kind: 'stored', sequence: 1, duplicate: false };

export function workerStage(options: WorkerStageOptions) {
  const { clock, marked = [], attempt = (one) => Promise.resolve(taken(one)) } = options;
  const { store = () => Promise.resolve(storedResult) } = options;
  const seen: Seen = {
    lookedUp: [],
    attempted: [],
    recorded: [],
    notStored: [],
    fenced: [],
    mayRepeat: [],
    parked: [],
  };
  const worker = createWorker({
    clock,
    bodies,
    done: {
      set: () => Promise.resolve(),
      get: (itemId) => {
        const [queueId = ''] = itemId.split(':');
        seen.lookedUp.push(queueId);
        if (options.marksAway === true) return Promise.resolve('unknown');
        return Promise.resolve(marked.includes(queueId) ? [delivered(queueId)] : 'none');
      },
    },
    hops: { find: () => Promise.resolve({ kind: 'hops', hops: [hop] }) },
    renderer: { prepare: () => Promise.resolve({ kind: 'ready', open: () => ({ size: 0, chunks: [] }) }) },
    renewals: createRenewals(clock, () => Promise.resolve()),
    isInDoubt: options.isInDoubt ?? (() => false),
    takeApart: { apart: (_message, parts) => Promise.resolve(parts) },
    park: {
      park: (message) => {
        seen.parked.push(message.part);
        message.ack();
        return Promise.resolve();
      },
    },
    outcomes: {
      flush: () => undefined,
      add: async (outcomes) => {
        const queueId = outcomes[0]?.queueId ?? '';
        const result = await store(queueId);
        if (result.kind === 'stored') seen.recorded.push(queueId);
        return result;
      },
    },
    transport: {
      close: () => Promise.resolve(),
      attempt: (_hop, one) => {
        seen.attempted.push(one.item.queueId);
        return attempt(one);
      },
    },
    observer: {
      attempted: () => undefined,
      mayRepeat: ({ queueId }) => void seen.mayRepeat.push(queueId),
      fenced: ({ queueId }) => void seen.fenced.push(queueId),
      outcomeNotStored: ({ queueId }) => void seen.notStored.push(queueId),
      failed: (_item, error) => {
        throw error;
      },
      apart: unused,
      parked: unused,
    },
  });
  return { worker, seen };
}

export interface MessageOptions {
  readonly deliveryCount?: number;
  /** `Postern-Again`. */
  readonly again?: string;
}

/** A message of WORK and how it was settled. */
export function workDelivery(items: readonly [Uint8Array, ...Uint8Array[]], options: MessageOptions = {}) {
  const batch = items.length > 1 ? workMessage(items) : { data: items[0], headers: {} };
  if (batch === undefined) throw new Error('too large');
  const headers: Readonly<Record<string, string>> = { ...batch.headers, 'Postern-Again': options.again ?? '' };
  const settled: string[] = [];
  const message: Delivery = {
    ...{ subject: 'work.default.1', data: batch.data, sequence: 1, pending: 0, storedAtMs: 0 },
    deliveryCount: options.deliveryCount ?? 1,
    header: (name) => headers[name] ?? '',
    ack: () => void settled.push('ack'),
    ackConfirmed: () => Promise.resolve(true),
    nak: () => void settled.push('nak'),
    working: () => undefined,
  };
  return { message, settled };
}

export const bytesOf = (one: Item): Uint8Array => Item.encode(one).finish();
