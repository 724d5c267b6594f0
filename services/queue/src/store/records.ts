/**
 * What is recorded beside units: message summaries, bodies that belong to messages, notices asked for, trace events. Inserts only, all in
 * batches and all harmless when repeated.
 */
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import type { Notice } from '../notice.js';
import type { Statement, Transaction } from './database.js';
import { foldedOf } from './folded-address.js';

export interface TraceRow {
  readonly at: number;
  readonly event: string;
  readonly sessionId: string;
  readonly queueId: string;
  readonly tenant: string;
  readonly reversePath: string;
  readonly recipient: string;
  readonly reply: string;
  /** Of a step of a session. */
  readonly clientAddress?: string;
  readonly detail: Readonly<Record<string, string>>;
}

const messages: Statement = {
  name: 'messages-record',
  text: `INSERT INTO mail.messages AS m (queue_id, tenants, session_id, parent, reverse_path, accepted_at, size, unjudged, detail, message_id, client_address, folded_reverse_path)
         SELECT queue_id, string_to_array(tenants, ' '), session_id, parent, reverse_path, accepted_at, size, unjudged, detail::jsonb, message_id, client_address,
           ${foldedOf('reverse_path')}
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::boolean[], $9::text[], $10::text[], $11::text[])
           AS u (queue_id, tenants, session_id, parent, reverse_path, accepted_at, size, unjudged, detail, message_id, client_address)
         ON CONFLICT (queue_id) DO UPDATE SET tenants = m.tenants || excluded.tenants WHERE NOT m.tenants @> excluded.tenants`,
};
const bodies: Statement = {
  name: 'bodies-record',
  text: `INSERT INTO mail.bodies (body_id, queue_id) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING`,
};
const notices: Statement = {
  name: 'notices-record',
  text: `INSERT INTO mail.notices (notice_id, queue_id, tenant, kind, outcome, at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[]) ON CONFLICT DO NOTHING`,
};
const trace: Statement = {
  name: 'trace-record',
  text: `INSERT INTO mail.trace_events (at, event, session_id, queue_id, tenant, reverse_path, recipient, reply, detail, client_address, folded_recipient, folded_reverse_path)
         SELECT at, event, session_id, queue_id, tenant, reverse_path, recipient, reply, detail::jsonb, client_address,
           ${foldedOf('recipient')}, ${foldedOf('reverse_path')}
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
           AS u (at, event, session_id, queue_id, tenant, reverse_path, recipient, reply, detail, client_address)`,
};

interface MessageRow {
  readonly queueId: string;
  readonly tenants: Set<string>;
  readonly outcome: Outcome;
}

/** An index takes no longer ones; the edge gives none. */
const longestMessageId = 500;
const longestAddress = 64;

const addressOf = (text: string | undefined): string => withoutNul(text ?? '').slice(0, longestAddress);

const withoutNul = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '') : text);

/** jsonb takes no NUL, escaped or not. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll('\\u0000', '');

export async function recordMessages(transaction: Transaction, outcomes: readonly Outcome[]): Promise<void> {
  const rows = new Map<string, MessageRow>();
  for (const outcome of outcomes) {
    if (outcome.accepted === undefined) continue;
    const known = rows.get(outcome.queueId);
    if (known === undefined)
      rows.set(outcome.queueId, { queueId: outcome.queueId, tenants: new Set([outcome.tenant]), outcome });
    else known.tenants.add(outcome.tenant);
  }
  if (rows.size === 0) return;
  const list = [...rows.values()].sort((a, b) => (a.queueId < b.queueId ? -1 : 1));
  const summaries = list.map(({ outcome }) => outcome.accepted);
  await transaction.run(messages, [
    list.map(({ queueId }) => queueId),
    list.map(({ tenants }) => [...tenants].join(' ')),
    summaries.map((summary) => summary?.sessionId ?? ''),
    list.map(({ outcome }) => outcome.parentQueueId),
    summaries.map((summary) => withoutNul(summary?.reversePath ?? '')),
    list.map(({ outcome }) => outcome.accepted?.acceptedAtMs || outcome.atMs),
    summaries.map((summary) => summary?.size ?? 0),
    summaries.map((summary) => summary?.unjudged ?? false),
    summaries.map((summary) =>
      json({
        ...{ origin: summary?.origin, findings: summary?.findings ?? [] },
        submittingTenant: summary?.submittingTenant,
      }),
    ),
    summaries.map((summary) => withoutNul(summary?.messageId ?? '').slice(0, longestMessageId)),
    summaries.map((summary) => addressOf(summary?.origin?.clientAddress)),
  ]);
}

export async function recordBodies(transaction: Transaction, outcomes: readonly Outcome[]): Promise<void> {
  const owners = new Map<string, string>();
  for (const { queueId, item, accepted } of outcomes) {
    if (item?.body?.place?.$case === 'bodyId') owners.set(item.body.place.value, queueId);
    for (const bodyId of accepted?.bodyIds ?? []) owners.set(bodyId, queueId);
  }
  if (owners.size === 0) return;
  const list = [...owners].sort(([a], [b]) => (a < b ? -1 : 1));
  await transaction.run(bodies, [list.map(([bodyId]) => bodyId), list.map(([, queueId]) => queueId)]);
}

export async function recordNotices(transaction: Transaction, rows: readonly Notice[]): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(notices, [
    rows.map(({ noticeId }) => noticeId),
    rows.map(({ queueId }) => queueId),
    rows.map(({ tenant }) => tenant),
    rows.map(({ kind }) => kind),
    rows.map(({ outcome }) => outcome),
    rows.map(({ atMs }) => atMs),
  ]);
}

export async function recordTrace(transaction: Transaction, rows: readonly TraceRow[]): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(trace, [
    rows.map(({ at }) => at),
    rows.map(({ event }) => event),
    rows.map(({ sessionId }) => sessionId),
    rows.map(({ queueId }) => queueId),
    rows.map(({ tenant }) => tenant),
    rows.map(({ reversePath }) => withoutNul(reversePath)),
    rows.map(({ recipient }) => withoutNul(recipient)),
    rows.map(({ reply }) => withoutNul(reply)),
    rows.map(({ detail }) => json(detail)),
    rows.map(({ clientAddress }) => addressOf(clientAddress)),
  ]);
}
