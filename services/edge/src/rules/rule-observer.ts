/** Who hears of rules a session could not compute or finish: told once for a session and rule, so that a thousand recipients are no thousand lines. */
import type { Action, RuleEvent } from '@postern/rules';
import type { Journal } from '../journal.js';
import type { Session } from '../session.js';

export interface RuleObserver {
  failed(session: Session, rule: string, reason: string): void;
  /** The time for the rules of this event ran out. */
  unfinished(session: Session, event: RuleEvent): void;
  /** A rule that matched said this; what policy carries out is told there. */
  decided(event: RuleEvent, action: Action['kind']): void;
}

export const unobserved: RuleObserver = {
  failed: () => undefined,
  unfinished: () => undefined,
  decided: () => undefined,
};

export function createRuleObserver(
  journal: () => Journal | undefined,
  decided: RuleObserver['decided'] = unobserved.decided,
): RuleObserver {
  const told = new WeakMap<Session, Set<string>>();
  const isNew = (session: Session, what: string): boolean => {
    const known = told.get(session) ?? new Set();
    told.set(session, known);
    if (known.has(what)) return false;
    known.add(what);
    return true;
  };
  return {
    decided,
    failed(session, rule, reason) {
      if (isNew(session, rule)) journal()?.record('edge.rule.failed', session, { detail: { rule, reason } });
    },
    unfinished(session, event) {
      if (isNew(session, event)) journal()?.record('edge.rule.unfinished', session, { detail: { reason: event } });
    },
  };
}
