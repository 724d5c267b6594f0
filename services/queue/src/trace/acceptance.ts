/**
 * The acceptance of a message as a step of its trace, with what was found. One message may be for several tenants: a tenant is shown what was found
 * about the message by the operator's rules, lists and settings or by its own, and about its own recipients; never what another tenant's say.
 */
import { everyTenant } from '@postern/grpc';
import type { FindingSummary, Origin } from '@postern/proto/mail/v1/envelope';
import { TraceEvent } from '@postern/proto/mail/v1/trace';

const mostOutcomes = 10;
const operatorTenant = 'system';

/** As it was written: fields that came later are missing in older rows. */
type StoredFinding = Partial<FindingSummary> & Pick<FindingSummary, 'check' | 'outcome'>;

export interface MessageRow extends Record<string, unknown> {
  readonly queue_id: string;
  readonly session_id: string;
  readonly parent: string;
  readonly reverse_path: string;
  readonly accepted_at: number;
  readonly size: number;
  readonly unjudged: boolean;
  readonly message_id: string;
  readonly detail: { readonly origin?: Origin; readonly findings?: readonly StoredFinding[] };
}

export interface Viewer {
  /** Tenant, or every tenant. */
  readonly scope: string;
  /** Recipients of the message that are the tenant's. */
  readonly addresses: readonly string[];
}

export function acceptance(message: MessageRow, viewer: Viewer): TraceEvent {
  const { origin, findings = [] } = message.detail;
  const detail: Record<string, string> = { size: String(message.size) };
  if (message.parent !== '') detail.parent = message.parent;
  if (message.unjudged) detail.unjudged = 'true';
  if (origin !== undefined) {
    detail.client_address = origin.clientAddress;
    detail.helo = origin.helo;
    detail.listener = origin.listener;
    detail.with = origin.withProtocol;
    if (origin.authenticatedUser !== '') detail.authenticated_user = origin.authenticatedUser;
  }
  for (const [check, found] of Map.groupBy(visible(findings, viewer), (finding) => finding.check)) {
    const told = found.map(({ outcome, evidence = '' }) => (evidence === '' ? outcome : `${outcome} (${evidence})`));
    // Of many recipients one word where they are alike, and each different one where not.
    detail[check] = [...new Set(told)].slice(0, mostOutcomes).join(', ');
  }
  return TraceEvent.fromPartial({
    atMs: message.accepted_at,
    event: 'queue.message.accepted',
    sessionId: message.session_id,
    queueId: message.queue_id,
    reversePath: message.reverse_path,
    detail,
  });
}

function visible(findings: readonly StoredFinding[], { scope, addresses }: Viewer): readonly StoredFinding[] {
  if (scope === everyTenant) return findings;
  const own = new Set(['', ...addresses.map((address) => address.toLowerCase())]);
  return findings.filter((finding) => isShownTo(scope, finding) && own.has((finding.recipient ?? '').toLowerCase()));
}

/** Whose rule or list it was is not known of older rows: those are the operator's to see. */
function isShownTo(scope: string, { check, tenant = '' }: StoredFinding): boolean {
  if (tenant === '') return check !== 'rule' && check !== 'lists' && !check.startsWith('lists_');
  return tenant === operatorTenant || tenant === scope;
}
