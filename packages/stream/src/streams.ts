/**
 * Every stream, bucket and consumer of the cluster, declared once. Created by provisioning (`ensureStreams`), bound by everyone else.
 * All are file storage with explicit max_bytes and a dedup window of 10 minutes (design.md, State). Sizes and replicas are settings.
 */

import { backSubjects, isBackSubject } from './subjects.js';

/** Names of the streams. */
export type StreamName = 'SPOOL' | 'WORK' | 'BODIES' | 'OUTCOMES' | 'TRACE' | 'PARKED';

/** Names of the key-value buckets. */
export type BucketName = 'CONFIG' | 'SECRETS' | 'DIRECTORY';

export interface StreamDeclaration {
  readonly name: StreamName;
  readonly subjects: readonly string[];
  readonly retention: 'workqueue' | 'limits';
  readonly discard: 'new' | 'old';
  /** Default size limit in bytes. */
  readonly maxBytes: number;
  /** Age limit in milliseconds; 0 = none. */
  readonly maxAgeMs: number;
  /** Messages kept per subject; absent = no limit. */
  readonly perSubject?: number;
}

const MiB = 1024 * 1024;

export const dedupWindowMs = 600_000;

export const streamDeclarations: readonly StreamDeclaration[] = [
  { name: 'SPOOL', subjects: ['spool.>'], retention: 'workqueue', discard: 'new', maxBytes: 2048 * MiB, maxAgeMs: 0 },
  { name: 'WORK', subjects: ['work.>'], retention: 'workqueue', discard: 'new', maxBytes: 2048 * MiB, maxAgeMs: 0 },
  {
    name: 'BODIES',
    subjects: ['bodies.>'],
    retention: 'limits',
    discard: 'new',
    maxBytes: 8192 * MiB,
    maxAgeMs: 0,
    perSubject: 1,
  },
  {
    name: 'OUTCOMES',
    subjects: ['outcomes.>'],
    retention: 'workqueue',
    discard: 'new',
    maxBytes: 1024 * MiB,
    maxAgeMs: 0,
  },
  {
    name: 'TRACE',
    subjects: ['trace.>'],
    retention: 'limits',
    discard: 'old',
    maxBytes: 512 * MiB,
    maxAgeMs: 86_400_000,
  },
  { name: 'PARKED', subjects: ['parked.>'], retention: 'limits', discard: 'new', maxBytes: 256 * MiB, maxAgeMs: 0 },
];

export interface BucketDeclaration {
  readonly name: BucketName;
  readonly maxBytes: number;
}

export const bucketDeclarations: readonly BucketDeclaration[] = [
  { name: 'CONFIG', maxBytes: 64 * MiB },
  { name: 'SECRETS', maxBytes: 64 * MiB },
  { name: 'DIRECTORY', maxBytes: 1024 * MiB },
];

export interface ConsumerDeclaration {
  readonly stream: StreamName;
  readonly durable: string;
  readonly filter: string;
  /** Messages out without acknowledgement, over all pods. */
  readonly maxAckPending: number;
}

/** AckWait of every consumer; renewed every 10 s while an attempt runs (design.md, step 7). */
export const ackWaitMs = 30_000;

/** After this many deliveries a message is copied to PARKED and acknowledged. */
export const maxDeliveries = 5;

export const intakeConsumer: ConsumerDeclaration = {
  stream: 'SPOOL',
  durable: 'queue',
  filter: 'spool.>',
  maxAckPending: 4096,
};
export const outcomesConsumer: ConsumerDeclaration = {
  stream: 'OUTCOMES',
  durable: 'queue',
  filter: 'outcomes.>',
  maxAckPending: 4096,
};
export const traceConsumer: ConsumerDeclaration = {
  stream: 'TRACE',
  durable: 'queue',
  filter: 'trace.>',
  maxAckPending: 4096,
};

/** Batches of SPOOL that came back, left in WORK (ADR 14). */
export const backConsumer: ConsumerDeclaration = {
  stream: 'WORK',
  durable: 'queue',
  filter: backSubjects,
  maxAckPending: 1024,
};

/** The consumer of one egress pool: never one per destination. */
export const workConsumer = (egressPool: string): ConsumerDeclaration => ({
  stream: 'WORK',
  durable: `pool-${egressPool}`,
  filter: `work.${egressPool}.>`,
  maxAckPending: 4096,
});

/** The consumer that a message of WORK is for. */
export const consumerOfWork = (subject: string): ConsumerDeclaration =>
  isBackSubject(subject) ? backConsumer : workConsumer(subject.split('.')[1] ?? '');
