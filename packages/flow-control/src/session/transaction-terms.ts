/** What the listener and the rules demand at MAIL, and the limits a transaction begins with; at RCPT its limits. Decided without a call. */
import type { Clock } from '@postern/clock';
import { type MailCommand, type Reply, replies } from '@postern/smtp-core';
import type { ListenerPolicy } from './listener-policy.js';
import type { LimitName } from './refusing-limit.js';
import type { SaidBy } from './said-by.js';
import { ruledLimit } from './session-ruling.js';
import type { SessionTerms } from './session-terms.js';
import type { SessionView } from './session-view.js';
import { rulingOfMail } from './transaction-ruling.js';

export interface TermsRefusal {
  readonly reply: Reply;
  /** What decided. */
  readonly reason: string;
  /** What was measured against which limit. */
  readonly measured?: Readonly<Record<string, string>>;
  /** The limit that refuses, where it was one. */
  readonly limit?: LimitName;
  /** The rule whose limit it was. */
  readonly by?: SaidBy | undefined;
}

/** Rules that set the limits of a transaction. */
export interface LimitedBy {
  readonly size: SaidBy | undefined;
  readonly recipients: SaidBy | undefined;
}

const tlsDemanded = (text = replies.tlsRequired.text): Reply => ({ ...replies.tlsRequired, text });

/** RFC 3207 §4, RFC 4954 §6: what the listener demands before any mail. */
export function listenerDemand(policy: ListenerPolicy, { tls, login }: SessionView): TermsRefusal | undefined {
  const { requireTls, requireTlsText, requireTlsBy = 'listener', requireAuth } = policy;
  if (requireTls && tls === undefined) return { reply: tlsDemanded(requireTlsText), reason: requireTlsBy };
  return requireAuth && login === undefined ? { reply: replies.authRequired, reason: 'listener' } : undefined;
}

/** Mechanisms the listener names for a connection like this one. */
export const namedMechanisms = (policy: ListenerPolicy, { tls }: SessionView): readonly string[] =>
  tls === undefined ? policy.mechanismsPlain : policy.mechanismsTls;

/** RFC 4954 §4: a mechanism that is not offered. `offered`: those named that work. */
export function mechanismRefusal(
  { mechanismsTls, mechanismsPlain }: ListenerPolicy,
  { tls }: SessionView,
  name: string,
  offered: readonly string[],
): Reply | undefined {
  if (offered.includes(name)) return undefined;
  if (tls === undefined && mechanismsTls.includes(name)) return replies.encryptionRequired;
  return mechanismsTls.length + mechanismsPlain.length === 0 ? replies.notImplemented : replies.unknownMechanism;
}

export type MailTerms =
  | {
      readonly kind: 'open';
      readonly messageSize: number;
      readonly recipients: number;
      /** undefined = no rule. */
      readonly limitedBy: LimitedBy | undefined;
    }
  | ({ readonly kind: 'refused' } & TermsRefusal);

/** RFC 1870 §6.1: the declared size is judged here. */
export function mailTerms(
  snapshot: SessionTerms,
  session: SessionView,
  { policy, command, tenant }: { policy: ListenerPolicy; command: MailCommand; tenant: string | undefined },
  clock: Clock,
): MailTerms {
  const ruling = rulingOfMail(snapshot, session, command, tenant, clock);
  if (ruling.requireTls !== undefined && session.tls === undefined)
    return { kind: 'refused', reply: tlsDemanded(ruling.requireTls.text), reason: ruling.requireTls.rule };
  const { value: messageSize, by: sizeBy } = ruledLimit(policy.messageSize, ruling, 'size');
  if (command.size !== null && command.size > messageSize)
    return { kind: 'refused', ...tooBig('declared size', command.size, messageSize, sizeBy) };
  const { value: recipients, by: recipientsBy } = ruledLimit(policy.recipients, ruling, 'recipients');
  const isRuled = sizeBy !== undefined || recipientsBy !== undefined;
  const limitedBy = isRuled ? { size: sizeBy, recipients: recipientsBy } : undefined;
  return { kind: 'open', messageSize, recipients, limitedBy };
}

function tooBig(reason: string, size: number, limit: number, by: SaidBy | undefined): TermsRefusal {
  const measured = { size: String(size), limit: String(limit) };
  return { reply: replies.tooBig, reason, measured, limit: 'message_size', by };
}

export interface TransactionLimits {
  readonly mail: MailCommand;
  readonly messageSize: number;
  readonly maxRecipients: number;
  readonly limitedBy?: LimitedBy | undefined;
}

/** Limits at RCPT; rules of policy may have narrowed them since MAIL. `taken`: recipients before this one. */
export function recipientLimit(
  { mail, messageSize, maxRecipients, limitedBy }: TransactionLimits,
  taken: number,
): TermsRefusal | undefined {
  if (taken >= maxRecipients) {
    const measured = { limit: String(maxRecipients) };
    const by = limitedBy?.recipients;
    return {
      reply: replies.tooManyRecipients(`${maxRecipients} recipients a message`),
      reason: 'recipient limit',
      measured,
      limit: 'recipients_per_message',
      by,
    };
  }
  if (mail.size === null || mail.size <= messageSize) return undefined;
  return tooBig('declared size', mail.size, messageSize, limitedBy?.size);
}

/** Limits of the message once it is here. */
export function sizeLimit(size: number, { messageSize, limitedBy }: TransactionLimits): TermsRefusal | undefined {
  return size > messageSize ? tooBig('size', size, messageSize, limitedBy?.size) : undefined;
}
