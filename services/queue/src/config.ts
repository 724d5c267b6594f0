/** Configuration of the queue service: what a pod must know before it has a snapshot. Everything else comes from CONFIG. */
import { type ConfigOf, commonSections, defineConfig, s } from '@postern/config';

export const queueConfig = defineConfig('queue', {
  nats: commonSections.nats,
  database: commonSections.database,
  telemetry: commonSections.telemetry,
  scopeKeyFile: commonSections.scopeKeyFile,
  lifecycle: commonSections.lifecycle,
  queue: s
    .object({
      listen: s.hostPort().default('127.0.0.1:9002').doc('Where the queue service (gRPC) listens.'),
      podName: s
        .string({ minLength: 1, maxLength: 63 })
        .default('queue')
        .doc('Name of this pod; must differ from pod to pod.'),
      intakeInFlight: s
        .integer({ min: 1, max: 4096 })
        .default(256)
        .doc('Messages from SPOOL in work at most; each may hold 256 KiB, and up to 64 mails.'),
      outcomeBatch: s
        .integer({ min: 1, max: 5_000 })
        .default(500)
        .doc('Outcomes committed in one transaction at most.'),
      outcomeLinger: s
        .duration({ min: 0, max: 1_000 })
        .default('20ms')
        .doc('How long outcomes are gathered for one transaction.'),
      window: s
        .integer({ min: 1, max: 100_000 })
        .default(500)
        .doc('Items of one tenant and lane in WORK at most; what is beyond waits as a row.'),
      windowFrom: s
        .integer({ min: 0, max: 1_000_000 })
        .default(1_000)
        .doc('Items in WORK from which on windows are applied.'),
      dispatchBatch: s.integer({ min: 1, max: 5_000 }).default(500).doc('Rows put into WORK in one round at most.'),
      dispatchEvery: s
        .duration({ min: 10, max: 60_000 })
        .default('500ms')
        .doc('Pause between rounds with nothing due.'),
      delayNotice: s.boolean().default(true).doc('Send delay notices at all; when is set in the retry schedule.'),
      dsnReturnLimit: s
        .bytes({ min: 0, max: 1_048_576 })
        .default('64KiB')
        .doc('A DSN returns the whole message up to this size when RET=FULL was asked, else its header section.'),
      quarantineKeep: s.duration({ min: 60_000 }).default('30d').doc('How long quarantined and held mail is kept.'),
      traceKeep: s.duration({ min: 3_600_000 }).default('7d').doc('How long trace and closed recipients are kept.'),
      traceBatch: s
        .integer({ min: 1, max: 5_000 })
        .default(1_000)
        .doc('Trace events written in one transaction at most.'),
      sweepEvery: s.duration({ min: 1_000 }).default('5m').doc('Pause between looks for bodies that nothing names.'),
      sweepAge: s.duration({ min: 1_000 }).default('1h').doc('An unfinished body is swept when it is older than this.'),
      sweepUnknownAge: s
        .duration({ min: 1_000 })
        .default('7d')
        .doc('A finished body that nothing names is swept when it is older than this; longer than any mail lives.'),
      ledgerEvery: s.duration({ min: 1_000 }).default('10s').doc('Pause between counts of the ledger for metrics.'),
    })
    .default({})
    .restart()
    .doc('What happens after 250.'),
});

export type QueueConfig = ConfigOf<typeof queueConfig>;
