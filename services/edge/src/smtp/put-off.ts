/**
 * Whether what a client says now only follows from what we put off (RFC 2920 §3.1): it sends MAIL, RCPT and DATA in one group before it hears that we do not take
 * its MAIL, or any of its recipients, for the time being. What is out of order for that alone is no error of the client's; it is put off with the rest.
 */
import { type Reply, replies } from '@postern/smtp-core';
import type { Transaction } from '../transaction.js';

const follow: ReadonlySet<Reply> = new Set([replies.needMail, replies.needRecipients]);
const startsAnew: ReadonlySet<string> = new Set(['MAIL', 'RSET', 'HELO', 'EHLO']);

export class PutOff {
  #isPutOff = false;

  /** Each reply as it is said. */
  note(command: string, { code }: Reply, transaction: Transaction | undefined): void {
    const isDeferral = code >= 400 && code < 500;
    if (startsAnew.has(command)) this.#isPutOff = command === 'MAIL' && isDeferral;
    else if (command === 'RCPT' && code < 500) this.#isPutOff = isDeferral && transaction?.recipients.length === 0;
  }

  /** Is this said to what follows from a command that was put off? */
  excuses(reply: Reply): boolean {
    return this.#isPutOff && follow.has(reply);
  }
}
