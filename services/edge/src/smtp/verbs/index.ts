/**
 * Every command that is understood, by name. What is not here is unknown: the sendmail jokes of smtp-server (WIZ, SHELL, KILL) among them.
 * EXPN, HELP and ETRN are known and not implemented (RFC 5321 §4.2.4: 502).
 */
import { type Reply, replies } from '@postern/smtp-core';
import type { Dialogue } from '../dialogue.js';
import { auth } from './auth.js';
import { bdat } from './bdat.js';
import { data } from './data.js';
import { ehlo, helo } from './hello.js';
import { mail } from './mail.js';
import { rcpt } from './rcpt.js';
import { startTls } from './starttls.js';
import { xclient } from './xclient.js';

export type VerbResult = Reply | readonly Reply[] | undefined;

export interface Verb {
  run(dialogue: Dialogue, argument: string): VerbResult | Promise<VerbResult>;
  /** Moves no mail: only so many per session. */
  readonly idle?: boolean;
  /** Tells the journal itself what it refuses; of every other verb the dialogue tells it. */
  readonly records?: boolean;
}

const notImplemented: Verb = { run: () => replies.notImplemented, idle: true };

/** RFC 5321 §4.1.1.10: takes no argument, but one is no reason to stay. */
const quit: Verb = {
  run(dialogue) {
    dialogue.wire.reply(replies.closing);
    dialogue.wire.close();
    return undefined;
  },
};

const rset: Verb = {
  idle: true,
  run(dialogue, argument) {
    if (argument.trim() !== '') return replies.syntaxError;
    dialogue.resetTransaction();
    return replies.ok;
  },
};

const noop: Verb = { idle: true, run: () => replies.ok };

/** RFC 5321 §3.5.3: nothing is said about whether a mailbox exists. */
const vrfy: Verb = {
  idle: true,
  run: (_dialogue, argument) => (argument.trim() === '' ? replies.syntaxError : replies.cannotVerify),
};

export const verbs: ReadonlyMap<string, Verb> = new Map([
  ['EHLO', ehlo],
  ['HELO', helo],
  ['MAIL', mail],
  ['RCPT', rcpt],
  ['DATA', data],
  ['BDAT', bdat],
  ['AUTH', auth],
  ['STARTTLS', startTls],
  ['XCLIENT', xclient],
  ['RSET', rset],
  ['NOOP', noop],
  ['VRFY', vrfy],
  ['QUIT', quit],
  ['EXPN', notImplemented],
  ['HELP', notImplemented],
  ['ETRN', notImplemented],
]);
