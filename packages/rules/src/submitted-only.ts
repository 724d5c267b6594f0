/**
 * What a rule of a tenant, domain or user at connect, ehlo or mail does for the mail they submit alone: of mail that comes to them it is known at RCPT whose
 * it is, when it is too late for that or would concern others (docs/rules.md). Told when the rule is saved, unless it asks who logged in.
 */
import type { Action } from './action.js';
import { actionEvents } from './carried-out.js';
import { isDoneLate, lateEvents } from './late-actions.js';
import { oneRule } from './one-rule.js';
import type { RuleOptions } from './rule.js';

/** Errors are counted from the start of the session. */
function nameOf(action: Action): string | undefined {
  if (action.kind === 'setLimit') return action.errors === undefined ? undefined : 'setLimit.errors';
  return isDoneLate(action) ? undefined : action.kind;
}

/** One line for each action. */
export function submittedOnly(document: unknown, options: RuleOptions): string[] {
  const rule = options.scope.kind === 'tenant' ? oneRule(document, options) : undefined;
  if (
    rule === undefined ||
    !lateEvents.includes(rule.event) ||
    [...rule.facts].some((fact) => fact.startsWith('auth.'))
  )
    return [];
  return rule.actions.flatMap((action, index) => {
    const name = nameOf(action);
    const isAtRcpt = action.kind !== 'setLimit' && actionEvents(action.kind).includes('rcpt');
    const way = isAtRcpt ? '; for mail that comes in write the rule at rcpt' : '';
    return name === undefined
      ? []
      : [
          `then[${index}]: ${name} at ${rule.event} is done for mail that is submitted here alone, not for mail that comes in${way}`,
        ];
  });
}
