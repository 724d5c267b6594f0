/**
 * Every limit a session can be refused by, by name: what it bounds and of whom. Closed words, for they are labels of a metric. What refuses and is no
 * limit: access rules, bans, checks, and the bounds of the protocol itself (length of a command line).
 */
import type { SaidBy } from './said-by.js';

export const limitNames = [
  // Before the banner.
  ...(['connections', 'connections_per_address', 'new_connections', 'new_connections_per_address'] as const),
  ...(['handshakes_per_address', 'overload'] as const),
  // Of the session alone.
  ...(['session_time', 'command_time', 'message_time'] as const),
  ...(['messages_per_session', 'bytes_per_session', 'errors_per_session', 'idle_commands_per_session'] as const),
  ...(['deferrals_per_session'] as const),
  ...(['failed_logins_per_session', 'failed_logins_per_account'] as const),
  // Of one message.
  ...(['message_size', 'message_line', 'message_headers', 'message_hops', 'recipients_per_message'] as const),
  // Per interval, over all pods.
  ...(['messages_per_address', 'messages_per_user', 'messages_per_tenant'] as const),
  ...(['recipients_per_address', 'recipients_per_user', 'recipients_per_tenant'] as const),
  ...(['bytes_per_address', 'bytes_per_user', 'bytes_per_tenant'] as const),
] as const;

export type LimitName = (typeof limitNames)[number];

export const limitSetters = ['settings', 'rule'] as const;

export interface RefusingLimit {
  readonly name: LimitName;
  /** A rule may have narrowed or widened what the settings say. */
  readonly setBy: (typeof limitSetters)[number];
}

/** For the facts of an event; nothing where it was no limit that refused. */
export function refusingLimit(name: LimitName | undefined, by?: SaidBy | string): { readonly limit?: RefusingLimit } {
  return name === undefined ? {} : { limit: { name, setBy: by === undefined ? 'settings' : 'rule' } };
}
