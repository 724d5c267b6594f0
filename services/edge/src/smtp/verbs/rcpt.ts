/** RCPT (RFC 5321 §4.1.1.3): takes with it the RCPT commands that are already here, so a pipelined group is one decision. */
import { replies } from '@postern/smtp-core';
import { RecipientGroup } from '../../recipient-group.js';
import type { Verb } from './index.js';

const keyword = /^TO:/i;
const command = /^RCPT TO:/i;
const maxLine = 2_048;

export const rcpt: Verb = {
  records: true,
  run(dialogue, argument) {
    const { session, services, wire, transaction } = dialogue;
    if (session.greeting === undefined) return dialogue.refuse(replies.helloFirst, 'RCPT');
    if (transaction === undefined) return dialogue.refuse(replies.needMail, 'RCPT');
    // RFC 3030 §2: recipients come before the first chunk.
    if (dialogue.chunks !== undefined) return dialogue.refuse(replies.badSequence, 'RCPT');
    if (!keyword.test(argument)) return dialogue.refuse(replies.syntaxError, 'RCPT');
    const isGrouped = dialogue.offers('PIPELINING');
    const group = new RecipientGroup(session, services, transaction);
    group.add(argument.slice(3));
    // RFC 2920 §3.2: where it is not offered, what was sent ahead is refused by the dialogue.
    while (isGrouped && !group.isFull && group.size < services.settings.maxRecipientGroup) {
      const next = wire.takeLine((line) => line.length <= maxLine && command.test(line));
      if (next === undefined) break;
      group.add(next.slice(8));
    }
    return group.decide();
  },
};
