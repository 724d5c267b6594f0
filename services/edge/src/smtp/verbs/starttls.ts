/** STARTTLS (RFC 3207). What was pipelined behind it is never executed: the parser that holds it is retired with the plain session. */
import { replies } from '@postern/smtp-core';
import type { Verb } from './index.js';

export const startTls: Verb = {
  run(dialogue, argument) {
    const { session, wire } = dialogue;
    if (session.tls !== undefined) return replies.alreadyTls;
    if (argument.trim() !== '') return replies.syntaxError;
    if (!dialogue.offers('STARTTLS')) return replies.notImplemented;
    if (!dialogue.canStartTls()) return replies.tlsNotAvailable;
    if (session.greeting === undefined) return replies.helloFirst;
    dialogue.resetTransaction();
    wire.reply(replies.readyForTls);
    wire.flush();
    wire.startTls();
    return undefined;
  },
};
