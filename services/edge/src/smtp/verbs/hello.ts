/**
 * EHLO and HELO (RFC 5321 §4.1.1.1): who the client says it is, and what it may use. Both clear the transaction.
 * A name that is no domain is taken (many clients give one); whether it matters is a check of policy. Only what could break a header or a log
 * is refused. Offered is only what works now: AUTH is not shown where it would be refused, so no client sends a password in plain (RFC 4954 §4).
 */
import { replies } from '@postern/smtp-core';
import { mechanisms } from '../../sasl/index.js';
import type { Dialogue } from '../dialogue.js';
import type { Verb } from './index.js';

const maxNameLength = 255;

function readName(argument: string): string | undefined {
  const name = argument.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return name === '' || name.length > maxNameLength || /[\s\x00-\x1f\x7f-\x9f]/.test(name) ? undefined : name;
}

/** Mechanisms this connection may use now. */
export function offeredMechanisms(dialogue: Dialogue): readonly string[] {
  const policy = dialogue.policy();
  if (policy === undefined || dialogue.session.login !== undefined) return [];
  const named = dialogue.session.tls === undefined ? policy.mechanismsPlain : policy.mechanismsTls;
  return named.filter((name) => mechanisms.has(name));
}

function extensions(dialogue: Dialogue): string[] {
  const { session } = dialogue;
  const list = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN'];
  const size = dialogue.policy()?.messageSize;
  if (size !== undefined) list.push(`SIZE ${size}`);
  if (dialogue.canStartTls()) list.push('STARTTLS');
  const offered = offeredMechanisms(dialogue);
  if (offered.length > 0) list.push(`AUTH ${offered.join(' ')}`);
  if (session.tls !== undefined) list.push('REQUIRETLS');
  return list;
}

function greet(dialogue: Dialogue, argument: string, esmtp: boolean): boolean {
  const name = readName(argument);
  if (name === undefined) return false;
  dialogue.resetTransaction();
  dialogue.session.greeting = { name, esmtp };
  dialogue.session.judged.ehlo = false;
  return true;
}

const hostname = (dialogue: Dialogue): string =>
  dialogue.services.snapshot()?.hostname ?? dialogue.services.settings.podName;

export const ehlo: Verb = {
  idle: true,
  run: (dialogue, argument) =>
    greet(dialogue, argument, true) ? replies.hello(hostname(dialogue), extensions(dialogue)) : replies.syntaxError,
};

export const helo: Verb = {
  idle: true,
  run: (dialogue, argument) =>
    greet(dialogue, argument, false) ? replies.hello(hostname(dialogue)) : replies.syntaxError,
};
