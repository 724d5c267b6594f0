/**
 * The bounds of a session whose end is a 421: what log and trace say of the one that was passed, the setting and its value. Counted where the refusal itself
 * is told, or with the end of the session where nothing is told before. Deadlines that pass while nothing is said are in `patience.ts`.
 */
import type { LimitName } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import { defaultDeadlines } from './deadlines.js';
import type { Dialogue } from './dialogue.js';

export interface PassedBound {
  readonly limit: LimitName;
  /** For log and trace. */
  readonly reason: string;
  /** The rule that says how much. */
  readonly rule?: string | undefined;
  /** The refusal was told with its limit already. */
  readonly isCounted?: true;
}

export type SessionBound =
  | 'errors_per_session'
  | 'failed_logins_per_session'
  | 'deferrals_per_session'
  | 'idle_commands_per_session'
  | 'message_time';

const defaultErrors = 20;

export const mostErrors = (dialogue: Dialogue): number => dialogue.policy()?.errorsPerSession ?? defaultErrors;

export function mostFailedLogins({ services }: Dialogue): number {
  return services.snapshot()?.errorControl.failedLoginsPerSession || services.settings.maxAuthFailures;
}

const reasons: Readonly<Record<SessionBound, (dialogue: Dialogue) => string>> = {
  errors_per_session: (dialogue) => {
    const setting = dialogue.policy()?.ruledBy?.errors === undefined ? 'limits.errorsPerSession: ' : '';
    return `${setting}${mostErrors(dialogue)} wrong or failed commands a session`;
  },
  failed_logins_per_session: (dialogue) => {
    const isControlled = (dialogue.services.snapshot()?.errorControl.failedLoginsPerSession ?? 0) > 0;
    const setting = isControlled ? 'errorControl.failedLoginsPerSession' : 'edge.maxAuthFailures';
    return `${setting}: ${mostFailedLogins(dialogue)} failed logins a session`;
  },
  deferrals_per_session: ({ services }) =>
    `${services.settings.maxDeferrals} recipients put off a session (another command counts as ten)`,
  idle_commands_per_session: ({ services }) => `${services.settings.maxIdleCommands} commands that move no mail`,
  message_time: ({ services }) => {
    const { messageMs } = services.snapshot()?.deadlines ?? defaultDeadlines;
    return `deadlines.message: a message not whole within ${messageMs / 1_000} s`;
  },
};

export function passedBound(dialogue: Dialogue, limit: SessionBound): PassedBound {
  const rule = limit === 'errors_per_session' ? dialogue.policy()?.ruledBy?.errors : undefined;
  return { limit, reason: reasons[limit](dialogue), rule };
}

/** A session that brought all it may: the refusal of MAIL or of a message is told by itself. */
export function fullSession(dialogue: Dialogue, reply: Reply): PassedBound | undefined {
  const { messagesPerSession = 0, bytesPerSession = 0 } = dialogue.policy() ?? {};
  if (reply === replies.sessionFull)
    return {
      limit: 'bytes_per_session',
      reason: `limits.bytesPerSession: ${bytesPerSession} bytes a session`,
      isCounted: true,
    };
  if (reply.text !== replies.sessionMessages(messagesPerSession).text) return undefined;
  return {
    limit: 'messages_per_session',
    reason: `limits.messagesPerSession: ${messagesPerSession} messages a session`,
    isCounted: true,
  };
}
