/** Must this session end now, and why: a ban that came meanwhile, or a deadline. Asked by the sweep over all connections: no timer per connection. */
import { type Abort, aborts } from './abort.js';
import { defaultDeadlines } from './deadlines.js';
import type { Dialogue } from './dialogue.js';
import type { Owed, Patience } from './patience.js';

export interface Swept {
  readonly dialogue: Dialogue;
  readonly patience: Patience;
}

export function overdue({ dialogue, patience }: Swept, nowMs: number, owed: Owed): Abort | undefined {
  const { services, session, incoming } = dialogue;
  // While we owe the next word the client hears it first.
  const ban = services.abuse.banned(session);
  if (ban !== undefined && !patience.isWorking) return aborts.banned(ban);
  const deadlines = services.snapshot()?.deadlines ?? defaultDeadlines;
  const lost = patience.lost(incoming?.size ?? 0, nowMs, deadlines, owed);
  return lost === undefined ? undefined : aborts.late(lost);
}
