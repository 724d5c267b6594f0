/** Intake over real streams, for tests: whoever takes from SPOOL, what was left and WORK, and what was recorded and waits. */
import { createBodyStore } from '@postern/body-store';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  backConsumer,
  connectStreams,
  consume,
  createLeftoverReader,
  createPublisher,
  type Delivery,
  ensureStreams,
  intakeConsumer,
  type StreamConnection,
  workConsumer,
  workItems,
} from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { expect, vi } from 'vitest';
import { createBatchObserver } from '../batch-observer.js';
import { createIntake, type Intake } from '../intake.js';
import { createLaneWindows } from '../lanes.js';
import { queueMetrics } from '../metrics.js';
import type { Park } from '../park.js';
import { createPlacer } from '../placer.js';
import { compilePolicy } from '../policy-in-use.js';
import { createRenewal } from '../renewal.js';
import { createLevelReader } from '../stream-levels.js';
import { createTakeApart } from '../take-apart.js';
import { createTakeOver } from '../take-over.js';
import { testSnapshot } from './messages.js';

export interface IntakeStageOptions {
  readonly park?: Park;
  readonly hasRoom?: (queueId: string) => boolean;
}

/** What arrives in WORK: queue id to mark. */
export async function intakeStage(
  natsUrl: string,
  onBatch: (intake: Intake, message: Delivery) => Promise<void>,
  { park = () => Promise.resolve(), hasRoom = () => true }: IntakeStageOptions = {},
) {
  const waiting = { count: 0 };
  const recorded: string[] = [];
  const connection = await connectStreams({ servers: [natsUrl], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const publisher = createPublisher(connection, systemClock);
  const telemetry = captureTelemetry('queue');
  const batches = createBatchObserver(queueMetrics(telemetry.metrics), telemetry.log);
  const policy = compilePolicy(testSnapshot());
  const renewal = createRenewal(systemClock);
  const placer = createPlacer(publisher, await createBodyStore(connection, systemClock));
  const intake = createIntake({
    clock: systemClock,
    placer: {
      carryOut: (envelope, placement, again) =>
        hasRoom(envelope.queueId)
          ? placer.carryOut(envelope, placement, again)
          : Promise.resolve({ done: false, step: 'body', reason: 'maximum bytes exceeded' }),
    },
    outcomes: {
      publish(outcomes) {
        recorded.push(...outcomes.map(({ queueId }) => queueId));
        return Promise.resolve({ done: true });
      },
    },
    windows: createLaneWindows({ size: 100, busyAt: 100 }),
    renewal,
    park,
    takeApart: createTakeApart(publisher, batches),
    takeOver: createTakeOver(publisher, await createLeftoverReader(connection), batches),
    met: { isInDoubt: () => false, isFromBeforeLoss: () => false },
    policy: () => policy,
    relay: () => undefined,
    quarantineKeepMs: 0,
    observer: { placed: () => undefined, stalled: () => waiting.count++, unstalled: () => waiting.count-- },
    partStallsMs: 1_500,
  });
  const options = { maxInFlight: 10, maxBatch: 1, onError: () => undefined };
  const spool = consume(connection, systemClock, intakeConsumer, options, async (batch) => {
    for (const message of batch) await onBatch(intake, message);
  });
  const back = consume(connection, systemClock, backConsumer, options, async (batch) => {
    for (const message of batch) await intake.handleLeft(message);
  });
  let messages = 0;
  const marks = new Map<string, string>();
  const work = consume(connection, systemClock, workConsumer('default'), options, async (batch) => {
    for (const message of batch) {
      messages++;
      for (const data of workItems(message)) marks.set(Item.decode(data).queueId, message.header('Postern-Again'));
      message.ack();
    }
  });
  const close = async (): Promise<void> => {
    renewal.stop();
    await Promise.all([spool.stop(), back.stop(), work.stop()]);
    await connection.close();
  };
  const told = () =>
    telemetry.lines.map(({ event, mails, fate, result, part }) => [event, mails, fate ?? result, part]);
  const counted = async () => (await telemetry.metrics.text()).match(/^postern_queue_batches_.*[1-9]$/gm) ?? [];
  return { connection, publisher, marks, waiting, recorded, close, told, counted, messages: () => messages };
}

export const bytesOf = (message: Envelope): Uint8Array => Envelope.encode(message).finish();

export const spoolIsEmpty = async (connection: StreamConnection): Promise<void> => {
  const levels = await createLevelReader(connection);
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
};
