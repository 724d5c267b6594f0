/** What the journal learns of one message: accepted, refused, or not known to be either. Whom it tells is decided here. */
import {
  operatorTenant,
  type RefusingLimit,
  refusingLimit,
  ruleNamed,
  type TermsRefusal,
} from '@postern/flow-control/session';
import type { Reply } from '@postern/smtp-core';
import type { EdgeEventFacts } from './journal.js';
import { concernedBy } from './refusal-evidence.js';
import type { Transaction } from './transaction.js';
import type { TransactionParty } from './transaction-party.js';

type Told = Pick<EdgeEventFacts, 'tenant' | 'evidence' | 'each'>;

/** Of an acceptance it is who submits that is told, else the first recipient's tenant. */
function told(
  { findings, recipients, submittingTenant }: Transaction,
  refusedBy: string | undefined,
  reply: Reply,
): Told {
  if (refusedBy === undefined) return { tenant: submittingTenant ?? recipients[0]?.tenant ?? operatorTenant };
  const each = concernedBy({ decidedBy: refusedBy, findings: findings.told(), recipients, submittingTenant }, reply);
  const [only] = each;
  if (recipients.length > 1 || only === undefined) return { each };
  return { tenant: only.tenant, evidence: only.evidence };
}

/** A refusal, and the rule that set its limit. */
export function recordRefused(party: TransactionParty, { reply, reason, measured, limit, by }: TermsRefusal): void {
  const { recipients, submittingTenant = operatorTenant } = party.transaction;
  // One event for all: a rule of a tenant is named where nobody else reads it.
  const isOwn = recipients.every(({ tenant }) => tenant === by?.tenant);
  const reader = submittingTenant === operatorTenant && isOwn ? by?.tenant : submittingTenant;
  const rule = ruleNamed(by, reader ?? operatorTenant);
  recordMessage(party, 'edge.message.rejected', reply, { reason, ...measured, ...rule }, refusingLimit(limit, by));
}

export function recordMessage(
  { session, services, transaction }: TransactionParty,
  event: 'edge.message.accepted' | 'edge.message.rejected',
  reply: Reply,
  detail: Readonly<Record<string, string>>,
  refused: { readonly limit?: RefusingLimit } = {},
): void {
  const [recipient, ...others] = transaction.recipients;
  services.journal.record(event, session, {
    queueId: transaction.queueId,
    reversePath: transaction.mail.reversePath.address,
    reply,
    detail,
    ...refused,
    ...told(transaction, event === 'edge.message.rejected' ? detail.reason : undefined, reply),
    ...(others.length === 0 && recipient !== undefined ? { recipient: recipient.address } : {}),
  });
}

/** Counted: two of the three ways to a duplicate (design.md, invariant 3). */
export function recordUncertain(
  { session, services, transaction }: TransactionParty,
  reason: 'publish_unknown' | 'reply_lost',
): void {
  services.journal.record('edge.message.uncertain', session, { queueId: transaction.queueId, detail: { reason } });
}
