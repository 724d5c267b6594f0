/** Log events of the queue service, and the names of the trace events it writes. */
import { defineEvents } from '@postern/telemetry';

export const queueEvents = defineEvents('queue', {
  'queue.message.accepted': 'A spooled message was expanded and routed; its items are in WORK or wait.',
  'queue.message.parked':
    'A message that cannot be worked on was copied to PARKED and acknowledged; when `stored` says so. Otherwise it stays and comes again.',
  'queue.parked.retried': 'An operator put a parked message back where it came from.',
  'queue.parked.dropped': 'An operator ended a parked message; its recipients are closed in the ledger.',
  'queue.intake.stalled':
    'A stream would not take what intake made of a message; it is tried again and nothing is lost. Told once a message.',
  'queue.batch.left':
    'A message of several mails came back from SPOOL. `fate` left: it was left in WORK, to be taken apart; placed: WORK had the items of its mails, and what they began is recorded.',
  'queue.batch.apart':
    'Mails were put back into SPOOL by themselves. `result` whole: all of a message that was left; part: one that waited for room; no_room: SPOOL had none for some of them, and those are worked on as they are.',
  'queue.batch.returned':
    'SPOOL did not answer when the mails of a message that was left were to be put back; the message was given back and comes again.',
  'queue.consumer.failed': 'Taking from a stream failed; the loop goes on with back-off.',
  'queue.store.lost': 'PostgreSQL does not answer: outcomes wait in the stream, first attempts go on.',
  'queue.store.recovered': 'PostgreSQL answers again.',
  'queue.store.migrated': 'Migrations of schema mail were applied.',
  'queue.store.unbound':
    'The database role is not bound by row-level security: isolation does not hold in the database.',
  'queue.outcome.late': 'An outcome came for a recipient that had ended otherwise; the first final state stays.',
  'queue.outcome.retried': 'A batch of outcomes could not be committed and is tried again.',
  'queue.notice.suppressed':
    'A failure is recorded without a DSN: the sender is not known to be the sender, or there is none (docs/queue.md).',
  'queue.notice.sent': 'A DSN was generated and queued.',
  'queue.notice.failed': 'A DSN could not be generated now; it is tried again.',
  'queue.rows.dispatched': 'Rows that were due went into WORK.',
  'queue.leftover.found':
    'A work queue held messages its consumer counts as acknowledged, as after the kill of a server; what was not worked on is worked on now.',
  'queue.pool.unserved':
    'Messages of an egress pool wait in WORK and no delivery pod asks for them; told once, and again after they were taken.',
  'queue.pool.served': 'A delivery pod takes the messages of an egress pool again, or none wait.',
  'queue.row.unreadable': 'A row whose item cannot be decoded was put on hold; an operator deletes or rebuilds it.',
  'queue.rows.rebuilt': 'Rows were made anew from BODIES by the rebuild command.',
  'queue.lane.released': 'A destination delivers again: its waiting mail is due now.',
  'queue.loop.failed': 'A background loop failed once; it goes on.',
  'queue.body.removed': 'Bodies that nothing names any more were removed.',
  'queue.ledger.orphaned': 'Units are open without a carrier for more than 5 minutes.',
  'queue.operation.done': 'An operation on what waits was carried out.',
  'queue.snapshot.applied': 'A new snapshot is in use.',
  'queue.rules.stale': "The operator's rules of the snapshot cannot be used; those from before are.",
  'queue.snapshot.refused': 'A snapshot needs a newer reader or cannot be read; the old one stays.',
  'queue.stream.changed': 'The connection to NATS changed state.',
  'queue.recipient.deferred': 'An attempt failed for now; the next one is scheduled.',
  'queue.recipient.bounced': 'A recipient failed for good.',
  'queue.recipient.expired': 'The lifetime of a message ended before it could be delivered.',
  'queue.recipient.held': 'A recipient waits for an operator or a confirmation.',
  'queue.recipient.quarantined': 'A recipient is in quarantine.',
  'queue.rule.applied': 'A rule about delivery decided something about a recipient.',
  'queue.rule.failed': 'A rule about delivery could not be computed, or took too long; it did not match.',
  'queue.recipient.operated': 'An operator or tenant held, released, retried, bounced or deleted a recipient.',
});

export type QueueEvent = keyof typeof queueEvents & string;
