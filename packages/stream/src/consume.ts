/**
 * Consume loops over durable pull consumers. The handler owns each message: it acknowledges, naks or lets AckWait run out. A message is
 * given to at most one handler call; the number in flight is bounded; the loop reopens with back-off when the server went away.
 * Invariant: nothing is acknowledged here.
 */
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Clock } from '@postern/clock';
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
  /** Messages in handlers now. */
  inFlight(): number;
}

export interface ConsumeOptions {
  /** Messages in handlers and buffer at most. */
  readonly maxInFlight: number;
  /** Messages per handler call; 1 = each alone. */
  readonly maxBatch: number;
  /** Called with every failure of the loop itself. */
  readonly onError: (error: Error) => void;
  /** The consumer is there: called when pulling begins, and begins again. */
  readonly onOpen?: () => void;
}

const maxBackoffMs = 5_000;

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
  handler: (batch: readonly Delivery[]) => Promise<void>,
): Consumption {
  let stopping = false;
  let inFlight = 0;
  let open: ConsumerMessages | undefined;
  let wake: (() => void) | undefined;
  const stopSignal = new AbortController();
  let batch: Delivery[] = [];
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
    batch = [];
    handler(taken)
      .catch((error: unknown) => options.onError(error instanceof Error ? error : new Error(String(error))))
      .finally(() => finish(taken.length));
  };
  const take = async (message: JsMsg): Promise<void> => {
    while (inFlight >= options.maxInFlight) await new Promise<void>((resolve) => (wake = resolve));
    inFlight++;
    batch.push(toDelivery(message));
    if (batch.length >= options.maxBatch) flush();
    else if (!flushScheduled) {
      flushScheduled = true;
      setImmediate(flush);
    }
  };
  const run = async (): Promise<void> => {
    let backoffMs = 100;
    while (!stopping) {
      try {
        const consumer = await connection.jetstream.consumers.get(declaration.stream, declaration.durable);
        if (stopping) return;
        open = await consumer.consume({
          max_messages: options.maxInFlight,
          threshold_messages: Math.ceil(options.maxInFlight / 2),
          expires: 30_000,
          idle_heartbeat: 5_000,
          abort_on_missing_resource: true,
        });
        backoffMs = 100;
        options.onOpen?.();
        for await (const message of open) await take(message);
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
      stopSignal.abort();
      open?.stop();
      await loop;
      flush();
      while (inFlight > 0) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}
