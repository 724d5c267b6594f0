/**
 * Rules of a tenant about connection, greeting and sender of mail that comes in: whose mail it is shows at RCPT, so they are asked there, for each
 * recipient of theirs, and do what still can be done then and concerns nobody else. What changes the whole session or message is not done.
 */
import type { Action, ActionKind } from './action.js';
import type { RuleEvent } from './event.js';

/** In the order of the session. A login is its own tenant's: at auth nobody else is asked. */
export const lateEvents: readonly RuleEvent[] = ['connect', 'ehlo', 'mail'];

const late: ReadonlySet<ActionKind> = new Set<ActionKind>([
  ...(['reject', 'tempfail', 'quarantine', 'discard', 'hold'] as const),
  ...(['tag', 'run', 'requireTls', 'setLimit'] as const),
]);

/** Counted from the start of the session, errors are too late to be limited. */
export const isDoneLate = (action: Action): boolean =>
  late.has(action.kind) && (action.kind !== 'setLimit' || action.size !== undefined || action.recipients !== undefined);
