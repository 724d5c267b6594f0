/**
 * Actions of one rule that never come to anything: there is one answer to a message, so that what would take it, keep it or throw it away does nothing beside
 * a refusal, and of several ways to keep or throw it away the strongest stands. Found when a rule is saved. `accept` beside one of these spares the checks.
 */
import type { Action, ActionKind } from './action.js';

const refusals: ReadonlySet<ActionKind> = new Set<ActionKind>(['reject', 'tempfail', 'close']);
const dispositions: ReadonlySet<ActionKind> = new Set<ActionKind>(['discard', 'dropRecipient', 'quarantine', 'hold']);

export interface IdleAction {
  readonly index: number;
  /** The other one. */
  readonly beside: ActionKind;
}

export function idleActions(actions: readonly Pick<Action, 'kind'>[]): IdleAction[] {
  const refusal = actions.find(({ kind }) => refusals.has(kind));
  const stands = refusal ?? actions.find(({ kind }) => dispositions.has(kind));
  if (stands === undefined) return [];
  return actions.flatMap((action, index) => {
    const { kind } = action;
    const ends = refusals.has(kind) || dispositions.has(kind) || (refusal !== undefined && kind === 'accept');
    return action === stands || !ends ? [] : [{ index, beside: stands.kind }];
  });
}
