/**
 * Where is my mail: messages by id, reverse-path, recipient or client, with the state of every recipient and every step known, in order of time; and what was
 * refused, among them by time, newest first. Runs in the scope of whoever asks, so other tenants' rows are not there.
 */
import { TraceEvent } from '@postern/proto/mail/v1/trace';
import type { MessageTrace, RecipientState, TraceRequest } from '@postern/proto/queue/v1/queue_service';
import type { Statement, Transaction } from '../store/database.js';
import { acceptance, type MessageRow, visibleFindings } from './acceptance.js';
import { findMessages, nullPath } from './find-messages.js';
import { inOrder, withAcceptance } from './order.js';
import { findRefusals, type Refusal } from './refusals.js';

const defaultLimit = 20;
const longestList = 100;
const eventsPerMessage = 500;

const unitsOf: Statement = {
  name: 'trace-units',
  text: `SELECT r.*, w.state AS waiting FROM mail.recipients r
         LEFT JOIN mail.waiting w ON w.queue_id = r.queue_id AND w.recipient = r.recipient
         WHERE r.queue_id = ANY ($1::text[]) ORDER BY r.queue_id, r.recipient LIMIT 10000`,
};
const eventsOf: Statement = {
  name: 'trace-events',
  text: `SELECT at, event, session_id, queue_id, tenant, reverse_path, recipient, reply, detail FROM mail.trace_events
         WHERE (queue_id <> '' AND queue_id = ANY ($1::text[]))
           OR (session_id <> '' AND session_id = ANY ($2::text[])) ORDER BY at, tableoid, ctid LIMIT $3::int`,
};
interface UnitRow extends Record<string, unknown> {
  readonly queue_id: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly state: string;
  readonly waiting: string | null;
  readonly attempts: number;
  readonly reply: string;
  readonly at: number;
  readonly parent: string;
}

interface EventRow extends Record<string, unknown> {
  readonly at: number;
  readonly event: string;
  readonly session_id: string;
  readonly queue_id: string;
  readonly tenant: string;
  readonly reverse_path: string;
  readonly recipient: string;
  readonly reply: string;
  readonly detail: Record<string, string> | null;
}

/** `scope`: the tenant that asks, as the transaction is bound to, or every tenant. */
export async function findTraces(
  transaction: Transaction,
  request: TraceRequest,
  scope: string,
): Promise<MessageTrace[]> {
  const limit = Math.min(request.limit || defaultLimit, longestList);
  const messages = await findMessages(transaction, request, limit);
  const refused = await refusalsFor(transaction, request, limit, new Set(messages.map(({ session_id }) => session_id)));
  const found = [
    ...messages.map((message) => ({ atMs: message.accepted_at, message })),
    ...refused.map((refusal) => ({ atMs: refusal.atMs, refusal })),
  ]
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, limit);
  const queueIds = found.flatMap((one) => ('message' in one ? [one.message.queue_id] : []));
  const sessions = found.map((one) => ('message' in one ? one.message.session_id : one.refusal.sessionId));
  const units = await transaction.query<UnitRow>(unitsOf, [queueIds]);
  const events = await transaction.query<EventRow>(eventsOf, [
    queueIds,
    sessions.filter((id) => id !== ''),
    eventsPerMessage * Math.max(1, found.length),
  ]);
  return found.map((one) =>
    'message' in one
      ? messageTrace(one.message, units, events, scope)
      : refusedTrace(one.refusal, events, request.reversePath),
  );
}

async function refusalsFor(
  transaction: Transaction,
  request: TraceRequest,
  limit: number,
  shown: ReadonlySet<string>,
): Promise<Refusal[]> {
  // Steps of a session do not tell a null reverse-path from one not said yet.
  if (request.reversePath === nullPath) return [];
  return findRefusals(transaction, request, limit, shown);
}

function messageTrace(
  message: MessageRow,
  units: readonly UnitRow[],
  events: readonly EventRow[],
  scope: string,
): MessageTrace {
  const own = units.filter(({ queue_id }) => queue_id === message.queue_id);
  const told = events.filter(
    ({ queue_id, session_id }) =>
      queue_id === message.queue_id || (queue_id === '' && session_id !== '' && session_id === message.session_id),
  );
  const viewer = { scope, addresses: own.map(({ recipient }) => recipient) };
  const findings = visibleFindings(message, viewer);
  const later = [...told.map(toEvent), ...own.flatMap(delivery)];
  const steps = withAcceptance(acceptance(message, findings, viewer), later);
  return {
    queueId: message.queue_id,
    sessionId: message.session_id,
    reversePath: message.reverse_path,
    recipients: own.map(stateOf),
    events: inOrder(steps),
    messageId: message.message_id,
    findings,
    recipientsElsewhere: isSubmittedToOthers(message, scope),
  };
}

/** Who submits named the recipients, and may hear that some are not its own. */
const isSubmittedToOthers = ({ detail, tenants }: MessageRow, scope: string): boolean =>
  detail.submittingTenant === scope && tenants.some((tenant) => tenant !== scope);

/** A session may have tried several senders: it is of the one asked for, else of its first. */
function refusedTrace({ sessionId, queueId }: Refusal, events: readonly EventRow[], asked: string): MessageTrace {
  const isOf = (id: string): boolean => queueId === '' || id === '' || id === queueId;
  const told = events.filter(({ session_id, queue_id }) => session_id === sessionId && isOf(queue_id));
  const senders = told.map(({ reverse_path }) => reverse_path).filter((sender) => sender !== '');
  return {
    queueId: '',
    sessionId,
    reversePath: senders.find((sender) => sender.toLowerCase() === asked.toLowerCase()) ?? senders[0] ?? '',
    recipients: [],
    events: inOrder(told.map(toEvent)),
    messageId: '',
    findings: [],
    recipientsElsewhere: false,
  };
}

const toEvent = (row: EventRow): TraceEvent => ({
  atMs: row.at,
  event: row.event,
  sessionId: row.session_id,
  queueId: row.queue_id,
  tenant: row.tenant,
  reversePath: row.reverse_path,
  recipient: row.recipient,
  reply: row.reply,
  detail: row.detail ?? {},
});

/** Ends that leave no event of their own: they are the rule, and their row says all. */
function delivery(unit: UnitRow): TraceEvent[] {
  if (unit.state === 'open' || unit.state === 'bounced' || unit.state === 'expired') return [];
  return [
    TraceEvent.fromPartial({
      atMs: unit.at,
      event: `queue.recipient.${unit.state}`,
      queueId: unit.queue_id,
      tenant: unit.tenant,
      recipient: unit.recipient,
      reply: unit.reply,
      detail: { attempt: String(unit.attempts) },
    }),
  ];
}

const stateOf = (unit: UnitRow): RecipientState => ({
  address: unit.recipient,
  tenant: unit.tenant,
  state: unit.state === 'open' ? openState(unit.waiting) : unit.state,
  reply: unit.reply,
  attempts: unit.attempts,
  atMs: unit.at,
});

function openState(waiting: string | null): string {
  return waiting === null || waiting === 'ready' || waiting === 'dispatched' ? 'queued' : waiting;
}
