/** Who hears of rules a session could not compute or finish: told once for a session and rule, so that a thousand recipients are no thousand lines. */
import { type TermsObserver, unobserved } from '@postern/flow-control/session';
import type { Journal } from '../journal.js';
import type { Session } from '../session.js';

export function createRuleObserver(
  journal: () => Journal | undefined,
  decided: TermsObserver['decided'] = unobserved.decided,
): TermsObserver {
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
    failed(session: Session, rule: string, reason: string) {
      if (isNew(session, rule)) journal()?.record('edge.rule.failed', session, { detail: { rule, reason } });
    },
    unfinished(session: Session, event) {
      if (isNew(session, event)) journal()?.record('edge.rule.unfinished', session, { detail: { reason: event } });
    },
  };
}
