/** Decisions and their order: what refuses goes before what disposes, what disposes before plain acceptance. */
import { Action, type Decision } from '@postern/proto/policy/v1/policy_service';

export interface Verdictable {
  readonly action: Action;
  /** 0 = default of the action. */
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
}

export function decision({ action, code, enhanced, text }: Verdictable, decidedBy: string): Decision {
  return { action, replyCode: code, enhancedCode: enhanced, text, decidedBy };
}

export function acceptance(): Decision {
  return { action: Action.ACCEPT, replyCode: 0, enhancedCode: '', text: '', decidedBy: '' };
}

const names = new Map<Action, string>([
  [Action.ACCEPT, 'accept'],
  [Action.REJECT, 'reject'],
  [Action.TEMPFAIL, 'tempfail'],
  [Action.DISCARD, 'discard'],
  [Action.QUARANTINE, 'quarantine'],
  [Action.HOLD, 'hold'],
  [Action.CLOSE, 'close'],
]);

export const actionName = (action: Action): string => names.get(action) ?? 'accept';

export function isRefusal(action: Action): boolean {
  return action === Action.REJECT || action === Action.TEMPFAIL || action === Action.CLOSE;
}

const weights = new Map<Action, number>([
  [Action.HOLD, 1],
  [Action.QUARANTINE, 2],
  [Action.DISCARD, 3],
]);

/** The stronger of two dispositions; of equal ones the first. */
export function stronger(one: Decision | undefined, other: Decision | undefined): Decision | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (weights.get(other.action) ?? 0) > (weights.get(one.action) ?? 0) ? other : one;
}

/** Dispositions of earlier stages, told again: later answers stand alone. */
export function dispositionOf(action: string): Action | undefined {
  for (const [value, name] of names) if (name === action && weights.has(value)) return value;
  return undefined;
}
