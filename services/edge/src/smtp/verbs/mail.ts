/**
 * MAIL (RFC 5321 §4.1.1.2). A refused MAIL leaves nothing behind; an accepted one begins a new transaction object. Size is judged here
 * (RFC 1870 §6.1), relay right and policy at RCPT.
 */
import {
  type ExtensionKeyword,
  earlyRefusal,
  type LimitName,
  type ListenerPolicy,
  listenerDemand,
  mailTerms,
  refusingLimit,
  ruleNamed,
  submittingTenant,
} from '@postern/flow-control/session';
import { type BodyType, type MailParameterName, parseMailCommand, type Reply, replies } from '@postern/smtp-core';
import { messageCeiling, recipientCeiling } from '../../message-ceiling.js';
import { Transaction } from '../../transaction.js';
import type { Dialogue } from '../dialogue.js';
import type { Verb } from './index.js';

const none: ReadonlySet<MailParameterName> = new Set();

/** Which extension a parameter belongs to; a parameter of one that is not offered is unknown (RFC 5321 §4.1.1.11). */
const parameters: readonly (readonly [MailParameterName, readonly ExtensionKeyword[]])[] = [
  ['SIZE', ['SIZE']],
  ['BODY', ['8BITMIME', 'BINARYMIME']],
  ['SMTPUTF8', ['SMTPUTF8']],
  ['RET', ['DSN']],
  ['ENVID', ['DSN']],
  ['REQUIRETLS', ['REQUIRETLS']],
  ['AUTH', ['AUTH']],
];

interface Offered {
  readonly plain: ReadonlySet<MailParameterName>;
  readonly tls: ReadonlySet<MailParameterName>;
}

/** Made once per listener and snapshot: MAIL is on the way of every message. */
const offers = new WeakMap<ListenerPolicy, Offered>();

function offeredBy(policy: ListenerPolicy): Offered {
  const known = offers.get(policy);
  if (known !== undefined) return known;
  const of = (mechanisms: readonly string[], onTls: boolean): ReadonlySet<MailParameterName> =>
    new Set(
      parameters
        .filter(([, keywords]) => keywords.some((keyword) => policy.extensions.has(keyword)))
        .map(([name]) => name)
        .filter((name) => (name !== 'AUTH' || mechanisms.length > 0) && (name !== 'REQUIRETLS' || onTls)),
    );
  const made = { plain: of(policy.mechanismsPlain, false), tls: of(policy.mechanismsTls, true) };
  offers.set(policy, made);
  return made;
}

function offered({ session }: Dialogue, policy: ListenerPolicy): ReadonlySet<MailParameterName> {
  if (session.greeting?.esmtp !== true) return none;
  const { plain, tls } = offeredBy(policy);
  return session.tls === undefined ? plain : tls;
}

/** RFC 3030 §3, RFC 6152 §3: a type nobody offered. */
function isOffered(body: BodyType, { extensions }: ListenerPolicy): boolean {
  if (body === 'BINARYMIME') return extensions.has('BINARYMIME');
  return body === '7BIT' || extensions.has('8BITMIME');
}

interface Barrier {
  readonly reply: Reply;
  /** What the reply does not say by itself. */
  readonly reason?: string;
  readonly measured?: Readonly<Record<string, string>>;
  readonly limit?: LimitName;
}

/** Why no transaction may begin now, whatever the command says. */
function barrier(dialogue: Dialogue): Barrier | undefined {
  const outOfOrder = order(dialogue);
  if (outOfOrder !== undefined) return 'code' in outOfOrder ? { reply: outOfOrder } : outOfOrder;
  const { session, services } = dialogue;
  const limit = services.messageLimits.barred(session);
  if (limit !== undefined) return limit;
  const overload = services.overload(isTrusted(dialogue));
  if (overload === undefined) return undefined;
  return { reply: replies.insufficientStorage, reason: `overload: ${overload}`, limit: 'overload' };
}

/** Shed last: a login, a relay right, a trusted set. */
function isTrusted(dialogue: Dialogue): boolean {
  const { session, services } = dialogue;
  const snapshot = services.snapshot();
  if (session.login !== undefined || dialogue.policy()?.trusted === true) return true;
  return snapshot !== undefined && submittingTenant(snapshot, session) !== undefined;
}

function order(dialogue: Dialogue): Reply | Barrier | undefined {
  const { session } = dialogue;
  const policy = dialogue.policy();
  if (session.greeting === undefined) return replies.helloFirst;
  if (policy === undefined) return replies.localError;
  const demand = listenerDemand(policy, session);
  if (demand !== undefined) return demand;
  if (dialogue.transaction !== undefined) return replies.nestedMail;
  return sessionLimit(policy, session);
}

/** What the session brought is all it may. */
function sessionLimit(policy: ListenerPolicy, { messages, bytes }: Dialogue['session']): Barrier | undefined {
  const { messagesPerSession, bytesPerSession } = policy;
  if (messagesPerSession > 0 && messages >= messagesPerSession) {
    const measured = { limit: String(messagesPerSession) };
    const reason = 'session messages limit';
    return { reply: replies.sessionMessages(messagesPerSession), reason, measured, limit: 'messages_per_session' };
  }
  if (bytesPerSession === 0 || bytes < bytesPerSession) return undefined;
  const measured = { limit: String(bytesPerSession), already: String(bytes) };
  return { reply: replies.sessionFull, reason: 'session bytes limit', measured, limit: 'bytes_per_session' };
}

const keyword = /^FROM:/i;
/** The path of a command that is refused before it is read, so that the trace finds it by its sender; empty = none that looks like one. */
const givenPath = (argument: string): string => /^FROM:\s*<([^<>\s]{1,320})>/i.exec(argument)?.[1] ?? '';

export const mail: Verb = {
  records: true,
  run(dialogue, argument) {
    const { session, services } = dialogue;
    const refuse = (reply: Reply, reversePath: string, reason?: string, measured = {}, limited = {}): Reply => {
      const detail = reason === undefined ? {} : { detail: { reason, ...measured } };
      services.journal.record('edge.sender.rejected', session, { reversePath, reply, ...detail, ...limited });
      return reply;
    };
    const barred = barrier(dialogue);
    if (barred !== undefined) {
      const { reply, reason, measured, limit } = barred;
      return refuse(reply, givenPath(argument), reason, measured, refusingLimit(limit));
    }
    if (!keyword.test(argument)) return refuse(replies.syntaxError, '');
    const policy = dialogue.policy();
    const snapshot = services.snapshot();
    if (policy === undefined || snapshot === undefined) return refuse(replies.localError, givenPath(argument));
    const parsed = parseMailCommand(argument.slice(5), { offered: offered(dialogue, policy), lenient: true });
    if (!parsed.ok) return refuse(parsed.reply, givenPath(argument) || argument.slice(5, 325).trim(), 'syntax');
    const { command } = parsed;
    if (!isOffered(command.body, policy))
      return refuse(replies.unknownParameter(`BODY=${command.body}`), command.reversePath.address);
    const refused = earlyRefusal(services, session, 'mail', command);
    if (refused !== undefined) return refuse(refused.reply, command.reversePath.address, refused.rule);
    const tenant = submittingTenant(snapshot, session);
    const terms = mailTerms(snapshot, session, { policy, command, tenant }, services.clock);
    if (terms.kind === 'refused')
      return refuse(
        terms.reply,
        command.reversePath.address,
        terms.reason,
        { ...terms.measured, ...ruleNamed(terms.by) },
        refusingLimit(terms.limit, terms.by),
      );
    const bounds = services.messageLimits.bounds(session);
    const ceiling = messageCeiling(bounds, policy.bytesPerSession, session.bytes);
    const transaction = new Transaction(
      services.ids(),
      command,
      terms.messageSize,
      terms.recipients,
      tenant,
      session.findings,
      ceiling,
      recipientCeiling(bounds),
    );
    transaction.limitedBy = terms.limitedBy;
    const over = command.size === null ? undefined : transaction.overSize(command.size);
    if (over !== undefined)
      return refuse(over.reply, command.reversePath.address, over.reason, over.measured, refusingLimit(over.limit));
    dialogue.transaction = transaction;
    return replies.senderOk;
  },
};
