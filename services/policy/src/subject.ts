/**
 * What one evaluation is about: the facts of the request, the snapshot it is judged by, the content where it has come, and what was found
 * so far. Everything a check or rule may know is here; nothing of a pod. Parsed once at the border, so that readers need no doubts.
 */
import { PosternError } from '@postern/errors';
import type { Origin } from '@postern/proto/mail/v1/envelope';
import type { EvaluateRequest, Finding, RecipientFacts, SessionFacts } from '@postern/proto/policy/v1/policy_service';
import { domainToAscii, isAscii } from '@postern/smtp-core';
import type { MessageContent } from './content/message-content.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

export interface Subject {
  readonly facts: SessionFacts;
  readonly origin: Origin;
  readonly snapshot: CompiledSnapshot;
  readonly content: MessageContent | undefined;
  /** A stranger on a public port: no login, no relay right. Checks of the sender are for these only. */
  readonly isOutsider: boolean;
  /** Recipients this request asks about. */
  readonly asked: readonly RecipientFacts[];
  /** Of earlier stages and of this evaluation, in order. */
  readonly findings: Finding[];
}

const maxRecipients = 20_000;

export function subjectOf(
  request: EvaluateRequest,
  snapshot: CompiledSnapshot,
  content: MessageContent | undefined,
): Subject {
  const { facts } = request;
  if (facts?.origin === undefined) throw new PosternError('invalid-argument', 'facts.origin is missing');
  if (facts.recipients.length > maxRecipients) throw new PosternError('invalid-argument', 'facts.recipients: too many');
  return {
    facts,
    origin: facts.origin,
    snapshot,
    content,
    isOutsider: facts.listenerRole === 'mx' && facts.origin.authenticatedUser === '' && !facts.relayRight,
    asked: facts.recipients.filter(({ asked }) => asked),
    findings: [...facts.findings],
  };
}

/** `local@domain` in two, the domain in lower-case A-labels (RFC 5890 §2.3.2.1) where it has them; the null reverse-path has none. */
export function domainOf(address: string): string {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return isAscii(domain) ? domain.toLowerCase() : (domainToAscii(domain) ?? domain.toLowerCase());
}

export function localPartOf(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 0 ? '' : address.slice(0, at);
}
