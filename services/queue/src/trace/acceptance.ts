/**
 * The acceptance of a message as a step of its trace, with what was found. One message may be for several tenants: a tenant is shown what was found
 * about the message by the operator's rules, lists and settings or by its own, and about its own recipients; never what another tenant's say, nor who
 * logged in there.
 */
import { everyTenant } from '@postern/grpc';
import { FindingSummary, type Origin } from '@postern/proto/mail/v1/envelope';
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
  /** Whose recipients it has. */
  readonly tenants: readonly string[];
  readonly detail: {
    readonly origin?: Origin;
    readonly findings?: readonly StoredFinding[];
    /** Whose login stands in the origin. */
    readonly submittingTenant?: string;
  };
}

export interface Viewer {
  /** Tenant, or every tenant. */
  readonly scope: string;
  /** Recipients of the message that are the tenant's. */
  readonly addresses: readonly string[];
}

export function acceptance(
  message: MessageRow,
  findings: readonly FindingSummary[],
  { scope }: Pick<Viewer, 'scope'>,
): TraceEvent {
  const { origin, submittingTenant = '' } = message.detail;
  const detail: Record<string, string> = { size: String(message.size) };
  if (message.parent !== '') detail.parent = message.parent;
  if (message.unjudged) detail.unjudged = 'true';
  if (origin !== undefined) {
    detail.client_address = origin.clientAddress;
    detail.helo = origin.helo;
    detail.listener = origin.listener;
    detail.with = origin.withProtocol;
    // Whose login it was is not known of older rows: those are the operator's to see.
    const isOwnLogin = scope === everyTenant || (submittingTenant !== '' && submittingTenant === scope);
    if (isOwnLogin && origin.authenticatedUser !== '') detail.authenticated_user = origin.authenticatedUser;
  }
  const took: string[] = [];
  for (const [check, found] of Map.groupBy(findings, (finding) => finding.check)) {
    // Of many recipients one word where they are alike, and each different one where not.
    detail[check] = [...new Set(found.map(told))].slice(0, mostOutcomes).join(', ');
    const longest = Math.max(...found.map(({ durationUs }) => durationUs));
    if (longest > 0) took.push(`${check} ${longest / 1_000} ms`);
  }
  if (took.length > 0) detail.took = took.join(', ');
  return TraceEvent.fromPartial({
    atMs: message.accepted_at,
    event: 'queue.message.accepted',
    sessionId: message.session_id,
    queueId: message.queue_id,
    reversePath: message.reverse_path,
    detail,
  });
}

/** `id@version` and action of a rule, and what the configuration did about a check. */
function told({ check, outcome, evidence, rule, action }: FindingSummary): string {
  const plain = check !== 'rule' && (action === 'none' || action === 'accept');
  const parts = evidence.startsWith(rule) && rule !== '' ? [evidence] : [rule, plain ? '' : action, evidence];
  const text = parts.filter((part) => part !== '').join(' ');
  return text === '' ? outcome : `${outcome} (${text})`;
}

export function visibleFindings({ detail }: MessageRow, { scope, addresses }: Viewer): FindingSummary[] {
  const { findings: stored = [], submittingTenant = '' } = detail;
  const isOther = scope !== everyTenant && scope !== submittingTenant && submittingTenant !== '';
  const findings = stored.map((finding) => asRead(FindingSummary.fromPartial(finding), isOther));
  if (scope === everyTenant) return findings;
  const own = new Set(['', ...addresses.map((address) => address.toLowerCase())]);
  return findings.filter((finding) => isShownTo(scope, finding) && own.has(finding.recipient.toLowerCase()));
}

/** Texts of the operator's rules may tell who logged in: another tenant reads them without. */
function asRead(finding: FindingSummary, isOther: boolean): FindingSummary {
  const { evidenceForOthers } = finding;
  if (evidenceForOthers === '') return finding;
  return { ...finding, evidenceForOthers: '', ...(isOther ? { evidence: evidenceForOthers } : {}) };
}

/** Whose rule or list it was is not known of older rows: those are the operator's to see. */
function isShownTo(scope: string, { check, tenant }: FindingSummary): boolean {
  if (tenant === '') return check !== 'rule' && check !== 'lists' && !check.startsWith('lists_');
  return tenant === operatorTenant || tenant === scope;
}
