/**
 * MAIL (RFC 5321 §4.1.1.2). A refused MAIL leaves nothing behind; an accepted one begins a new transaction object. Size is judged here
 * (RFC 1870 §6.1), relay right and policy at RCPT.
 */
import { type MailParameterName, parseMailCommand, type Reply, replies } from '@postern/smtp-core';
import { submittingTenant } from '../../relay-right.js';
import { Transaction } from '../../transaction.js';
import type { Dialogue } from '../dialogue.js';
import type { Verb } from './index.js';

const none: ReadonlySet<MailParameterName> = new Set();
const inPlain: readonly MailParameterName[] = ['SIZE', 'BODY', 'SMTPUTF8', 'RET', 'ENVID'];
const plain: ReadonlySet<MailParameterName> = new Set(inPlain);
const plainAuth: ReadonlySet<MailParameterName> = new Set([...inPlain, 'AUTH']);
const tls: ReadonlySet<MailParameterName> = new Set([...inPlain, 'REQUIRETLS']);
const tlsAuth: ReadonlySet<MailParameterName> = new Set([...inPlain, 'REQUIRETLS', 'AUTH']);

function offered(dialogue: Dialogue): ReadonlySet<MailParameterName> {
  const { session } = dialogue;
  if (session.greeting?.esmtp !== true) return none;
  const policy = dialogue.policy();
  const mechanisms = session.tls === undefined ? policy?.mechanismsPlain : policy?.mechanismsTls;
  const hasAuth = mechanisms !== undefined && mechanisms.length > 0;
  if (session.tls === undefined) return hasAuth ? plainAuth : plain;
  return hasAuth ? tlsAuth : tls;
}

/** Why no transaction may begin now, whatever the command says. */
function barrier(dialogue: Dialogue): Reply | undefined {
  const { session, services } = dialogue;
  const policy = dialogue.policy();
  if (session.greeting === undefined) return replies.helloFirst;
  if (policy === undefined) return replies.localError;
  if (policy.requireTls && session.tls === undefined) return replies.tlsRequired;
  if (policy.requireAuth && session.login === undefined) return replies.authRequired;
  if (dialogue.transaction !== undefined) return replies.nestedMail;
  if (policy.messagesPerSession > 0 && session.messages >= policy.messagesPerSession) return replies.rateLimited;
  return services.overload() === undefined ? undefined : replies.insufficientStorage;
}

const keyword = /^FROM:/i;

export const mail: Verb = {
  records: true,
  run(dialogue, argument) {
    const { session, services } = dialogue;
    const refuse = (reply: Reply, reversePath: string): Reply => {
      services.journal.record('edge.sender.rejected', session, { reversePath, reply });
      return reply;
    };
    const barred = barrier(dialogue);
    if (barred !== undefined) return refuse(barred, '');
    if (!keyword.test(argument)) return refuse(replies.syntaxError, '');
    const parsed = parseMailCommand(argument.slice(5), { offered: offered(dialogue), lenient: true });
    if (!parsed.ok) return refuse(parsed.reply, argument.slice(5, 325).trim());
    const { command } = parsed;
    // RFC 3030 §3: only with CHUNKING, which is not offered.
    if (command.body === 'BINARYMIME') return refuse(replies.badParameter('BODY'), command.reversePath.address);
    const policy = dialogue.policy();
    const snapshot = services.snapshot();
    if (policy === undefined || snapshot === undefined) return refuse(replies.localError, command.reversePath.address);
    if (command.size !== null && command.size > policy.messageSize)
      return refuse(replies.tooBig, command.reversePath.address);
    const tenant = submittingTenant(snapshot, session);
    dialogue.transaction = new Transaction(
      services.ids(),
      command,
      policy.messageSize,
      policy.recipients,
      tenant,
      session.findings,
    );
    return replies.senderOk;
  },
};
