/**
 * Rules of MAIL and RCPT a session carries out by itself: TLS demanded for a sender or a recipient, and for whom relaying or local delivery is
 * open. Comes after the relay right and takes away only: no rule makes a refused recipient a taken one (invariant 11).
 */
import type { Clock } from '@postern/clock';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import type { Clientele } from '@postern/rules';
import { type MailCommand, type Reply, replies } from '@postern/smtp-core';
import type { RecipientRight } from '../relay-right.js';
import type { Session, SessionServices } from '../session.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import type { Transaction } from '../transaction.js';
import { sessionRuling } from './ruled-policy.js';
import { sessionFacts, withRecipient, withSender } from './session-facts.js';
import { noRuling, type Ruling, rule } from './session-ruling.js';

export function rulingOfMail(
  snapshot: CompiledSnapshot,
  session: Session,
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

export interface Barrier {
  readonly reply: Reply;
  readonly reason: string;
}

const closed = (clientele: Clientele | undefined, session: Session): boolean =>
  clientele === 'none' || (clientele === 'authenticated' && session.login === undefined);

function barrierOf(ruling: Ruling, session: Session, recipientClass: RecipientClass): Barrier | undefined {
  const { requireTls, relayFor, localFor } = ruling;
  if (requireTls !== undefined && session.tls === undefined)
    return { reply: { ...replies.tlsRequired, text: requireTls.text }, reason: requireTls.rule };
  if (recipientClass === RecipientClass.RELAY)
    return closed(relayFor, session)
      ? { reply: replies.relayDenied, reason: `a rule allows relaying for ${relayFor}` }
      : undefined;
  if (!closed(localFor, session)) return undefined;
  const reply = localFor === 'authenticated' ? replies.authRequired : replies.accessDenied;
  return { reply, reason: `a rule allows local delivery for ${localFor}` };
}

/** Why a recipient the client has the right to is refused all the same. `asked`: recipients before it in its group. */
export function recipientBarrier(
  { snapshot, clock }: Pick<SessionServices, 'snapshot' | 'clock'>,
  session: Session,
  transaction: Transaction,
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
  return barrierOf(rule(said, asker, 'rcpt', tenant, facts), session, recipientClass);
}
