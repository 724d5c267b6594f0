/**
 * Consume loops over durable pull consumers. The handler owns each message: it acknowledges, naks or lets AckWait run out. A message is
 * given to at most one handler call; the number in flight is bounded; the loop reopens with back-off when the server went away.
 * Where messages are weighed only what can begin at once is asked for: nothing waits here while its AckWait runs out.
 * Invariant: nothing is acknowledged here.
 */
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Clock } from '@postern/clock';
import { batchParts } from './batch.js';
import type { StreamConnection } from './connection.js';
import type { ConsumerDeclaration } from './streams.js';

export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Stream sequence. */
  readonly sequence: number;
  /** Place in a batch (`spool-batch.ts`); absent = a message of its own. */
  readonly part?: number;
  /** 1 on first delivery. */
  readonly deliveryCount: number;
  /** Messages the consumer had pending when this one was sent. */
  readonly pending: number;
  readonly storedAtMs: number;
  header(name: string): string;
  ack(): void;
  /** Acknowledges and waits until the server has it; false = unknown. */
  ackConfirmed(timeoutMs: number): Promise<boolean>;
  /** Gives it back, to be delivered again after the delay. */
  nak(delayMs?: number): void;
  /** Renews AckWait. */
  working(): void;
}

export interface Consumption {
  /** Stops pulling and resolves when every handler call has returned. */
  stop(): Promise<void>;
  /** In handlers now, by weight. */
  inFlight(): number;
}

export interface ConsumeOptions {
  /** What handlers have in work at most, by weight. Beyond it goes only what was asked for together and is heavier than what came before. */
  readonly maxInFlight: number;
  /** What a message counts for, at least 1; absent = each 1, and as many again are fetched ahead. */
  readonly weigh?: (message: Delivery) => number;
  /** Messages per handler call; 1 = each alone. */
  readonly maxBatch: number;
  /** Called with every failure of the loop itself. */
  readonly onError: (error: Error) => void;
  /** The consumer is there: called when pulling begins, and begins again. */
  readonly onOpen?: () => void;
}

const maxBackoffMs = 5_000;
/** Until messages have told: few are asked for rather than too many. */
const firstExpectedWeight = batchParts;
const requests = { expires: 30_000, idle_heartbeat: 5_000 };

function toDelivery(message: JsMsg): Delivery {
  const { info } = message;
  return {
    subject: message.subject,
    data: message.data,
    sequence: message.seq,
    deliveryCount: info.deliveryCount,
    pending: info.pending,
    storedAtMs: Math.floor(info.timestampNanos / 1e6),
    header: (name) => message.headers?.get(name) ?? '',
    ack: () => message.ack(),
    ackConfirmed: (timeoutMs) => message.ackAck({ timeout: timeoutMs }).catch(() => false),
    nak: (delayMs) => message.nak(delayMs),
    working: () => message.working(),
  };
}

export function consume(
  connection: StreamConnection,
  clock: Clock,
  declaration: ConsumerDeclaration,
  options: ConsumeOptions,
  /** `settled`: so much of the weight no longer counts; what is left of it does until the call ends. */
  handler: (batch: readonly Delivery[], settled: (weight: number) => void) => Promise<void>,
): Consumption {
  let stopping = false;
  let inFlight = 0;
  let open: ConsumerMessages | undefined;
  let wake: (() => void) | undefined;
  const stopSignal = new AbortController();
  let batch: Delivery[] = [];
  let batchWeight = 0;
  let expectedWeight = firstExpectedWeight;
  let flushScheduled = false;

  const finish = (count: number): void => {
    inFlight -= count;
    wake?.();
    wake = undefined;
  };
  const flush = (): void => {
    flushScheduled = false;
    if (batch.length === 0) return;
    const taken = batch;
    const weight = batchWeight;
    batch = [];
    batchWeight = 0;
    let left = weight;
    const settled = (part: number): void => {
      const counted = Math.min(part, left);
      left -= counted;
      finish(counted);
    };
    handler(taken, settled)
      .catch((error: unknown) => options.onError(error instanceof Error ? error : new Error(String(error))))
      .finally(() => settled(left));
  };
  const take = (message: JsMsg): void => {
    const delivery = toDelivery(message);
    const weight = options.weigh?.(delivery) ?? 1;
    expectedWeight = weight > expectedWeight ? weight : expectedWeight + (weight - expectedWeight) / 16;
    inFlight += weight;
    batchWeight += weight;
    batch.push(delivery);
    if (batch.length >= options.maxBatch) flush();
    else if (!flushScheduled) {
      flushScheduled = true;
      setImmediate(flush);
    }
  };
  const change = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  const ahead = async (consumer: Consumer, opened: () => void): Promise<void> => {
    open = await consumer.consume({
      max_messages: options.maxInFlight,
      threshold_messages: Math.ceil(options.maxInFlight / 2),
      ...requests,
      abort_on_missing_resource: true,
    });
    opened();
    for await (const message of open) {
      while (inFlight >= options.maxInFlight) await change();
      take(message);
    }
  };
  // The client asks again for all that was asked for, whatever of it has come, and after a failure only half a minute later.
  if (options.weigh !== undefined) connection.onMetAgain(() => open?.stop());
  const atOnce = async (consumer: Consumer, opened: () => void): Promise<void> => {
    const worthAsking = Math.max(1, Math.floor(options.maxInFlight / 16));
    while (!stopping) {
      while (!stopping && inFlight > options.maxInFlight - worthAsking) await change();
      if (stopping) return;
      const room = Math.max(1, Math.floor((options.maxInFlight - inFlight) / expectedWeight));
      open = await consumer.fetch({ max_messages: room, ...requests });
      opened();
      if (stopping) open.stop();
      for await (const message of open) take(message);
    }
  };
  const run = async (): Promise<void> => {
    let backoffMs = 100;
    while (!stopping) {
      try {
        const consumer = await connection.jetstream.consumers.get(declaration.stream, declaration.durable);
        if (stopping) return;
        const opened = (): void => {
          backoffMs = 100;
          options.onOpen?.();
        };
        await (options.weigh === undefined ? ahead(consumer, opened) : atOnce(consumer, opened));
      } catch (error) {
        if (stopping) return;
        options.onError(error instanceof Error ? error : new Error(String(error)));
        await clock.sleep(backoffMs, stopSignal.signal).catch(() => undefined);
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      }
    }
  };
  const loop = run();
  return {
    inFlight: () => inFlight,
    stop: async () => {
      stopping = true;
      wake?.();
      stopSignal.abort();
      open?.stop();
      await loop;
      flush();
      while (inFlight > 0) await change();
    },
  };
}
