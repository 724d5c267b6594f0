/**
 * DATA (RFC 5321 §4.1.1.4). Refused before 354 where there is nothing to send to, and then a client that has already sent its message is
 * cut off: its lines must never be read as commands (RFC 2920 §3.1: DATA is the last command of a group).
 */
import { type Reply, replies } from '@postern/smtp-core';
import { MessageTransfer } from '../../message-transfer.js';
import type { Dialogue } from '../dialogue.js';
import type { Verb } from './index.js';

function barrier(dialogue: Dialogue, argument: string): Reply | undefined {
  const { transaction, session } = dialogue;
  if (session.greeting === undefined) return replies.helloFirst;
  if (transaction === undefined) return replies.needMail;
  if (argument.trim() !== '') return replies.syntaxError;
  if (transaction.recipients.length === 0) return transaction.refusal?.reply ?? replies.needRecipients;
  return undefined;
}

export const data: Verb = {
  records: true,
  async run(dialogue, argument) {
    const refused = barrier(dialogue, argument);
    const { transaction, session, services, wire } = dialogue;
    if (refused !== undefined || transaction === undefined) {
      dialogue.dataRefused = true;
      dialogue.refuse(refused ?? replies.needMail, 'DATA');
      return wire.hasPipelined ? [refused ?? replies.needMail, replies.sentWithoutLeave] : refused;
    }
    const transfer = new MessageTransfer(session, services, transaction, wire);
    dialogue.transfer = transfer;
    try {
      const reply = await transfer.run();
      if (reply?.code === 250) {
        session.idleCommands = 0;
        // A client that delivers is forgiven half of what a session may cost.
        session.errors = Math.max(0, session.errors - Math.ceil((dialogue.policy()?.errorsPerSession ?? 0) / 2));
      }
      return reply;
    } finally {
      dialogue.transfer = undefined;
      dialogue.resetTransaction();
    }
  },
};
