/**
 * What rules refuse before the first RCPT, told at the command they name: banner, EHLO, AUTH, MAIL. Decided from the snapshot without a call. What
 * has to be asked for first is told at the first RCPT, by policy. RFC 5321 §3.1, §3.2: 554 in place of the banner, 421 where the session ends.
 */
import { type Action, evaluate, type Facts, scopeAddress } from '@postern/rules';
import { isEnhancedCode, type MailCommand, type Reply } from '@postern/smtp-core';
import { submittingTenant } from './relay-right.js';
import { sessionFacts, withSender } from './session-facts.js';
import type { TermsInUse } from './session-terms.js';
import type { SessionView } from './session-view.js';

export type EarlyEvent = 'connect' | 'ehlo' | 'auth' | 'mail';

export interface EarlyRefusal {
  readonly reply: Reply;
  /** `id@version`. */
  readonly rule: string;
}

/** Of CPU time. */
const budgetMs = 50;

export function earlyRefusal(
  { snapshot, clock }: TermsInUse,
  session: SessionView,
  event: EarlyEvent,
  mail?: MailCommand,
): EarlyRefusal | undefined {
  const current = snapshot();
  if (current === undefined || !current.refusals.has(event)) return undefined;
  const known = sessionFacts(session, clock.now());
  const facts: Facts = mail === undefined ? known : withSender(known, mail);
  const choice = current.refusals.of(submittingTenant(current, session) ?? '', scopeAddress(facts));
  if (!choice.has(event)) return undefined;
  const budget = { monotonic: () => clock.cpu(), ms: budgetMs };
  for (const { action, ruleId, version, fault } of evaluate(choice.sets, event, facts, budget).decisions) {
    // Those that put nothing off are told where policy asks the same rules.
    if (fault !== undefined) current.ruleObserver.failed(session, `${ruleId}@${version}`, fault);
    const reply = replyOf(action, event);
    if (reply === undefined) continue;
    current.ruleObserver.decided(event, action.kind);
    return { reply, rule: `${ruleId}@${version}` };
  }
  return undefined;
}

function replyOf(action: Action, event: EarlyEvent): Reply | undefined {
  if (action.kind === 'close') return { code: 421, enhanced: '4.7.0', text: action.text };
  if (action.kind !== 'reject' && action.kind !== 'tempfail') return undefined;
  const { enhanced, text } = action;
  const own = isEnhancedCode(enhanced) ? { enhanced } : {};
  if (event !== 'connect') return { code: action.code, ...own, text };
  return { code: action.kind === 'reject' ? 554 : 421, ...own, text };
}
