/**
 * Rules of MAIL and RCPT a session carries out by itself: TLS demanded for a sender or a recipient, and for whom relaying or local delivery is
 * open. Comes after the relay right and takes away only: no rule makes a refused recipient a taken one (invariant 11).
 */
import type { Clock } from '@postern/clock';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { type MailCommand, type Reply, replies } from '@postern/smtp-core';
import type { RecipientRight } from './relay-right.js';
import { sessionRuling } from './ruled-policy.js';
import { sessionFacts, withRecipient, withSender } from './session-facts.js';
import { noRuling, type RuledRight, type Ruling, rule } from './session-ruling.js';
import type { SessionTerms, TermsInUse } from './session-terms.js';
import type { SessionView } from './session-view.js';

export function rulingOfMail(
  snapshot: SessionTerms,
  session: SessionView,
  mail: MailCommand,
  tenant: string | undefined,
  clock: Clock,
): Ruling {
  const { rules } = snapshot;
  if (rules.size === 0) return noRuling;
  const said = sessionRuling(snapshot, session, clock);
  if (!rules.has('mail')) return said;
  const facts = withSender(sessionFacts(session, clock.now()), mail);
  return rule(said, { snapshot, session, clock }, 'mail', tenant ?? '', facts);
}

export interface TransactionFacts {
  readonly mail: MailCommand;
  readonly submittingTenant: string | undefined;
  /** Those that were taken. */
  readonly recipients: { readonly length: number };
}

export interface Barrier {
  readonly reply: Reply;
  readonly reason: string;
}

const closed = (right: RuledRight | undefined, { login }: SessionView): right is RuledRight =>
  right?.for === 'none' || (right?.for === 'authenticated' && login === undefined);

function barrierOf(ruling: Ruling, session: SessionView, recipientClass: RecipientClass): Barrier | undefined {
  const { requireTls, relayFor, localFor } = ruling;
  if (requireTls !== undefined && session.tls === undefined)
    return { reply: { ...replies.tlsRequired, text: requireTls.text }, reason: requireTls.rule };
  if (recipientClass === RecipientClass.RELAY)
    return closed(relayFor, session) ? { reply: replies.relayDenied, reason: relayFor.rule } : undefined;
  if (!closed(localFor, session)) return undefined;
  return { reply: localFor.for === 'none' ? replies.accessDenied : replies.authRequired, reason: localFor.rule };
}

/** Why a recipient the client has the right to is refused all the same. `asked`: recipients before it in its group. */
export function recipientBarrier(
  { snapshot, clock }: TermsInUse,
  session: SessionView,
  transaction: TransactionFacts,
  { address, tenant, recipientClass }: Extract<RecipientRight, { kind: 'granted' }>,
  asked: number,
): Barrier | undefined {
  const current = snapshot();
  if (current === undefined || current.rules.size === 0) return undefined;
  const { mail, submittingTenant, recipients } = transaction;
  const said = rulingOfMail(current, session, mail, submittingTenant, clock);
  if (!current.rules.has('rcpt')) return barrierOf(said, session, recipientClass);
  const known = withSender(sessionFacts(session, clock.now()), mail);
  const facts = withRecipient(known, address, recipientClass, recipients.length + asked + 1);
  const asker = { snapshot: current, session, clock };
  return barrierOf(rule(said, asker, 'rcpt', tenant, facts, submittingTenant), session, recipientClass);
}
