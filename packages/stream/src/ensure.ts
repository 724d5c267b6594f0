/**
 * Creates streams, buckets and consumers, or brings existing ones to the declared settings. Run by provisioning only. Never shrinks or
 * deletes: a stream with mail in it is never removed by code.
 */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { StreamConnection } from './connection.js';
import {
  ackWaitMs,
  backConsumer,
  bucketDeclarations,
  type ConsumerDeclaration,
  dedupWindowMs,
  intakeConsumer,
  outcomesConsumer,
  type StreamDeclaration,
  type StreamName,
  streamDeclarations,
  traceConsumer,
  workConsumer,
} from './streams.js';

export interface EnsureOptions {
  /** Copies of every stream: 1 or 3. */
  readonly replicas: number;
  /** Size limits in bytes where they differ from the declared ones. */
  readonly maxBytes?: Partial<Record<StreamName, number>>;
  /** Egress pools that need a WORK consumer. */
  readonly egressPools: readonly string[];
}

const nanos = (ms: number): number => ms * 1_000_000;
/** The consumer or its stream is not there. */
export const isConsumerMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError &&
  (error.code === JetStreamApiCodes.StreamNotFound || error.code === JetStreamApiCodes.ConsumerNotFound);

async function ensureStream(
  manager: JetStreamManager,
  declaration: StreamDeclaration,
  options: EnsureOptions,
): Promise<void> {
  const config = {
    subjects: [...declaration.subjects],
    retention: declaration.retention === 'workqueue' ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    discard: declaration.discard === 'new' ? DiscardPolicy.New : DiscardPolicy.Old,
    storage: StorageType.File,
    num_replicas: options.replicas,
    max_bytes: options.maxBytes?.[declaration.name] ?? declaration.maxBytes,
    max_age: nanos(declaration.maxAgeMs),
    duplicate_window: nanos(dedupWindowMs),
    allow_direct: true,
    ...(declaration.perSubject === undefined ? {} : { max_msgs_per_subject: declaration.perSubject }),
  };
  try {
    await manager.streams.info(declaration.name);
  } catch (error) {
    if (!isConsumerMissing(error)) throw error;
    await manager.streams.add({ name: declaration.name, ...config });
    return;
  }
  const { retention: _fixed, storage: _alsoFixed, ...changeable } = config;
  await manager.streams.update(declaration.name, changeable);
}

/** Creates a durable pull consumer when it is missing. */
export async function ensureConsumer(manager: JetStreamManager, declaration: ConsumerDeclaration): Promise<void> {
  try {
    await manager.consumers.info(declaration.stream, declaration.durable);
    return;
  } catch (error) {
    if (!isConsumerMissing(error)) throw error;
  }
  await manager.consumers.add(declaration.stream, {
    durable_name: declaration.durable,
    filter_subject: declaration.filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: declaration.maxAckPending,
    max_deliver: -1,
  });
}

export async function ensureStreams(connection: StreamConnection, options: EnsureOptions): Promise<void> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  for (const declaration of streamDeclarations) await ensureStream(manager, declaration, options);
  const buckets = new Kvm(connection.jetstream);
  for (const { name, maxBytes } of bucketDeclarations) {
    await buckets.create(name, {
      history: 1,
      replicas: options.replicas,
      max_bytes: maxBytes,
      storage: StorageType.File,
    });
  }
  const pools = options.egressPools.map(workConsumer);
  for (const consumer of [intakeConsumer, outcomesConsumer, traceConsumer, backConsumer, ...pools])
    await ensureConsumer(manager, consumer);
}
