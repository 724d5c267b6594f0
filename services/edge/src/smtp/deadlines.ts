/**
 * How long a connection may stay in one state (RFC 5321 §4.5.3.2): the whole time to a command line, not the time since the last byte, and a
 * minimum rate while message bytes come, so that a byte now and then holds nothing open. Checked by one sweep over all connections.
 */
export interface Deadlines {
  /** From one reply to the next whole command line (RFC 5321 §4.5.3.2.7). */
  readonly commandMs: number;
  /** One message, whatever its size. */
  readonly messageMs: number;
  /** Without a byte while message bytes are due (RFC 5321 §4.5.3.2.5). */
  readonly silenceMs: number;
  /** Octets a second on average after the first minute. */
  readonly minimumRate: number;
  /** The whole session; 0 = no limit. */
  readonly sessionMs: number;
}

export const defaultDeadlines: Deadlines = {
  commandMs: 300_000,
  messageMs: 3_600_000,
  silenceMs: 180_000,
  minimumRate: 64,
  sessionMs: 0,
};

/** How often connections are looked at. */
export const sweepMs = 1_000;

export function deadlinesOf(settings: Partial<Deadlines> | undefined): Deadlines {
  return {
    commandMs: settings?.commandMs || defaultDeadlines.commandMs,
    messageMs: settings?.messageMs || defaultDeadlines.messageMs,
    silenceMs: settings?.silenceMs || defaultDeadlines.silenceMs,
    minimumRate: settings?.minimumRate || defaultDeadlines.minimumRate,
    sessionMs: settings?.sessionMs ?? 0,
  };
}

export type Activity =
  | { readonly kind: 'waiting'; readonly sinceMs: number }
  /** We owe the next word: no deadline of the client's. */
  | { readonly kind: 'working' }
  | { readonly kind: 'receiving'; readonly sinceMs: number; received: number; checkedMs: number };

export const startActivity = (nowMs: number): Activity => ({ kind: 'waiting', sinceMs: nowMs });

/** The deadlines of one state of a connection, by the name of their setting. */
export type PassedDeadline = 'command' | 'message' | 'silence' | 'minimumRate';

export function deadlineOf(
  activity: Activity,
  received: number,
  nowMs: number,
  deadlines: Deadlines = defaultDeadlines,
): PassedDeadline | 'none' {
  if (activity.kind === 'working') return 'none';
  const elapsed = nowMs - activity.sinceMs;
  if (activity.kind === 'waiting') return elapsed > deadlines.commandMs ? 'command' : 'none';
  if (received !== activity.received) {
    activity.received = received;
    activity.checkedMs = nowMs;
  }
  if (elapsed > deadlines.messageMs) return 'message';
  if (nowMs - Math.max(activity.checkedMs, activity.sinceMs) > deadlines.silenceMs) return 'silence';
  return elapsed > 60_000 && received * 1_000 < deadlines.minimumRate * elapsed ? 'minimumRate' : 'none';
}
