/**
 * Why we ended a session, as a word of a closed set for its metric: the limit that was passed, else what else it was. `refused` is a 421 of policy, a rule or
 * a verb; details are in the event.
 */
import type { LimitName } from '@postern/flow-control/session';

export const endings = ['early_talker', 'ban', 'drain', 'noise', 'refused'] as const;
export type Ending = (typeof endings)[number];

const limits = [
  'session_time',
  'command_time',
  'message_time',
  'messages_per_session',
  'bytes_per_session',
  'errors_per_session',
  'deferrals_per_session',
  'idle_commands_per_session',
  'failed_logins_per_session',
] as const satisfies readonly LimitName[];

export const abortReasons = [...limits, ...endings] as const;

export function abortReason(limit: LimitName | undefined, ending: Ending = 'refused'): (typeof abortReasons)[number] {
  return limits.find((name) => name === limit) ?? ending;
}
