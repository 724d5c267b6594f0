/**
 * DATA (RFC 5321 §4.1.1.4). Refused before 354 where there is nothing to send to, and then a client that has already sent its message is
 * cut off: its lines must never be read as commands (RFC 2920 §3.1: DATA is the last command of a group).
 */
import { type Reply, replies } from '@postern/smtp-core';
import { MessageTransfer } from '../../message-transfer.js';
import type { Dialogue } from '../dialogue.js';
import { type ContentReader, DataReader } from '../line-policy.js';
import { NormalisingReader } from '../normalising-reader.js';
import type { Verb } from './index.js';

function barrier(dialogue: Dialogue, argument: string): Reply | undefined {
  const { transaction, session } = dialogue;
  if (session.greeting === undefined) return replies.helloFirst;
  if (transaction === undefined) return replies.needMail;
  if (argument.trim() !== '') return replies.syntaxError;
  // RFC 3030 §2: not after BDAT, and §3: a binary message comes by BDAT only.
  if (dialogue.chunks !== undefined || transaction.mail.body === 'BINARYMIME') return replies.badSequence;
  if (transaction.recipients.length === 0) return transaction.refusal?.reply ?? replies.needRecipients;
  return undefined;
}

function readerOf(dialogue: Dialogue): ContentReader {
  const { maxLineLength } = dialogue.services.settings;
  return dialogue.policy()?.linePolicy === 'normalise'
    ? new NormalisingReader(maxLineLength)
    : new DataReader(maxLineLength);
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
    const transfer = new MessageTransfer(session, services, transaction, wire, readerOf(dialogue));
    dialogue.incoming = transfer;
    try {
      wire.reply(replies.startData);
      wire.flush();
      if ((await transfer.receive()) === 'closed') return undefined;
      const reply = await transfer.conclude();
      dialogue.forgive(reply);
      return reply;
    } finally {
      dialogue.incoming = undefined;
      dialogue.resetTransaction();
    }
  },
};
