/**
 * EHLO and HELO (RFC 5321 §4.1.1.1): who the client says it is, and what it may use. Both clear the transaction.
 * A name that is no domain is taken (many clients give one); whether it matters is a check of policy. Only what could break a header or a log
 * is refused. Offered is only what works now: AUTH is not shown where it would be refused, so no client sends a password in plain (RFC 4954 §4).
 */
import {
  type ExtensionKeyword,
  earlyRefusal,
  type ListenerPolicy,
  namedMechanisms,
} from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import { messageCeiling } from '../../message-ceiling.js';
import { mechanisms, needsKerberos, needsTls } from '../../sasl/index.js';
import type { Dialogue } from '../dialogue.js';
import type { Verb } from './index.js';
import { xclientKeyword } from './xclient-attributes.js';

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
  return namedMechanisms(policy, dialogue.session).filter(
    (name) =>
      mechanisms.has(name) &&
      (dialogue.session.tls !== undefined || !needsTls.has(name)) &&
      (dialogue.services.kerberos !== undefined || !needsKerberos.has(name)),
  );
}

/** RFC 9422 §4: six digits. */
const largestLimit = 999_999;

/** RFC 9422 §4: what this listener holds a client to. A rule may allow less of one message. */
function limitsLine({ recipients, messagesPerSession }: ListenerPolicy): string {
  const named = [
    { name: 'RCPTMAX', most: recipients },
    { name: 'MAILMAX', most: messagesPerSession },
  ].filter(({ most }) => most > 0 && most <= largestLimit);
  return named.length === 0 ? '' : `LIMITS ${named.map(({ name, most }) => `${name}=${most}`).join(' ')}`;
}

/** The line of an extension, '' where it cannot be used now. */
const lines: Partial<Record<ExtensionKeyword, (dialogue: Dialogue, policy: ListenerPolicy) => string>> = {
  SIZE: ({ session, services }, { messageSize, bytesPerSession }) => {
    const ceiling = messageCeiling(services.messageLimits.bounds(session), bytesPerSession, 0);
    return `SIZE ${Math.min(messageSize, ceiling?.bytes ?? messageSize)}`;
  },
  LIMITS: (_dialogue, policy) => limitsLine(policy),
  STARTTLS: (dialogue) => (dialogue.canStartTls() ? 'STARTTLS' : ''),
  AUTH: (dialogue) => {
    const mechanisms = offeredMechanisms(dialogue);
    return mechanisms.length > 0 ? `AUTH ${mechanisms.join(' ')}` : '';
  },
  // RFC 8689 §4: never in plain.
  REQUIRETLS: ({ session }) => (session.tls === undefined ? '' : 'REQUIRETLS'),
};

function extensions(dialogue: Dialogue): string[] {
  const policy = dialogue.policy();
  if (policy === undefined) return [];
  const offered = [...policy.extensions]
    .map((keyword) => lines[keyword]?.(dialogue, policy) ?? keyword)
    .filter((line) => line !== '');
  return policy.trustsXclient(dialogue.session.peerAddress) ? [...offered, xclientKeyword] : offered;
}

/** Why it is refused; undefined = the client is greeted. */
function greet(dialogue: Dialogue, argument: string, esmtp: boolean): Reply | undefined {
  const said = readName(argument);
  if (said === undefined) return dialogue.refuse(replies.syntaxError, esmtp ? 'EHLO' : 'HELO');
  const name = dialogue.session.forwardedGreeting ?? said;
  dialogue.resetTransaction();
  dialogue.session.greeting = { name, esmtp };
  dialogue.session.judged.ehlo = false;
  const refused = earlyRefusal(dialogue.services, dialogue.session, 'ehlo');
  if (refused === undefined) return undefined;
  dialogue.session.greeting = undefined;
  return dialogue.refuse(refused.reply, refused.rule);
}

const hostname = (dialogue: Dialogue): string => dialogue.policy()?.hostname ?? dialogue.services.settings.podName;

export const ehlo: Verb = {
  idle: true,
  records: true,
  run: (dialogue, argument) =>
    greet(dialogue, argument, true) ?? replies.hello(hostname(dialogue), extensions(dialogue)),
};

export const helo: Verb = {
  idle: true,
  records: true,
  run: (dialogue, argument) => greet(dialogue, argument, false) ?? replies.hello(hostname(dialogue)),
};
