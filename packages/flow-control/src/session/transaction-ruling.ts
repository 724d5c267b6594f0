/**
 * Rules of MAIL and RCPT a session carries out by itself: TLS demanded for a sender or a recipient, and for whom relaying or local delivery is
 * open. Comes after the relay right and takes away only: no rule makes a refused recipient a taken one (invariant 11).
 */
import type { Clock } from '@postern/clock';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { lateEvents } from '@postern/rules';
import { type MailCommand, type Reply, replies } from '@postern/smtp-core';
import type { RecipientRight } from './relay-right.js';
import { sessionRuling } from './ruled-policy.js';
import { sessionFacts, withRecipient, withSender } from './session-facts.js';
import { type Asker, noRuling, type RuledRight, type Ruling, rule, ruleBy } from './session-ruling.js';
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

type Granted = Extract<RecipientRight, { kind: 'granted' }>;

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

/** TLS that rules of the recipient's tenant demand before RCPT, asked for now that its tenant is known. */
function withLate(
  said: Ruling,
  asker: Asker,
  { mail, submittingTenant = '' }: TransactionFacts,
  { address, tenant, recipientClass }: Pick<Granted, 'address' | 'tenant' | 'recipientClass'>,
): Ruling {
  const { snapshot, session, clock } = asker;
  if (recipientClass === RecipientClass.RELAY || said.requireTls !== undefined) return said;
  if (!lateEvents.some((event) => snapshot.rules.has(event))) return said;
  const sender = { tenant: submittingTenant, address: session.login?.user ?? '' };
  const choice = snapshot.rules.late(sender, { tenant, address });
  const events = lateEvents.filter((event) => choice.has(event));
  if (events.length === 0) return said;
  const facts = withSender(sessionFacts(session, clock.now()), mail);
  const { requireTls } = events.reduce((late, event) => ruleBy(late, asker, event, choice, facts), noRuling);
  return { ...said, requireTls };
}

/** Why a recipient the client has the right to is refused all the same. `asked`: recipients before it in its group. */
export function recipientBarrier(
  { snapshot, clock }: TermsInUse,
  session: SessionView,
  transaction: TransactionFacts,
  { address, tenant, recipientClass }: Granted,
  asked: number,
): Barrier | undefined {
  const current = snapshot();
  if (current === undefined || current.rules.size === 0) return undefined;
  const { mail, submittingTenant, recipients } = transaction;
  const said = rulingOfMail(current, session, mail, submittingTenant, clock);
  const asker = { snapshot: current, session, clock };
  const barred = barrierOf(
    withLate(said, asker, transaction, { address, tenant, recipientClass }),
    session,
    recipientClass,
  );
  if (barred !== undefined || !current.rules.has('rcpt')) return barred;
  const known = withSender(sessionFacts(session, clock.now()), mail);
  const facts = withRecipient(known, address, recipientClass, recipients.length + asked + 1);
  return barrierOf(rule(said, asker, 'rcpt', tenant, facts, submittingTenant), session, recipientClass);
}
