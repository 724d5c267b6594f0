/**
 * How much of log and trace one session may fill. A client chooses how much of what it says is refused, at some thousands a second, and the trace is one for
 * all: what is beyond the bound of its event is counted and told once, at the end of the session. Metrics count everything.
 */
import type { EdgeEventName } from './journal.js';
import type { Session } from './session.js';

/** Events of the trace for each session. What is not named here a session cannot repeat at will. */
const mostTold: ReadonlyMap<EdgeEventName, number> = new Map<EdgeEventName, number>([
  ['edge.command.rejected', 10],
  ['edge.sender.rejected', 100],
  ['edge.recipient.rejected', 100],
  // One for each recipient, up to a hundred of a message.
  ['edge.message.rejected', 1_000],
  ['edge.login.unavailable', 100],
  ['edge.policy.bypassed', 1_000],
]);

/** What a client may say twice in one millisecond: the trace takes steps that are the same for one that was told twice. */
const numbered: ReadonlySet<EdgeEventName> = new Set<EdgeEventName>(['edge.command.rejected', 'edge.sender.rejected']);

interface Told {
  readonly room: Map<EdgeEventName, number>;
  readonly untold: Map<EdgeEventName, number>;
}

export class ToldRefusals {
  readonly #told = new WeakMap<Session, Told>();

  /** How many of so many events of the trace are told; 0 = the log is not told either. */
  take(event: EdgeEventName, session: Session, wanted: number): number {
    const most = mostTold.get(event);
    if (most === undefined) return wanted;
    const told = this.#told.get(session) ?? { room: new Map(), untold: new Map() };
    this.#told.set(session, told);
    const room = told.room.get(event) ?? most;
    const given = Math.min(room, wanted);
    told.room.set(event, room - given);
    if (given < wanted) told.untold.set(event, (told.untold.get(event) ?? 0) + wanted - given);
    return given;
  }

  /** Which of its kind the one is that was just taken; undefined = it differs from others by itself. */
  nth(event: EdgeEventName, session: Session): number | undefined {
    const most = mostTold.get(event);
    const room = this.#told.get(session)?.room.get(event);
    return most === undefined || room === undefined || !numbered.has(event) ? undefined : most - room;
  }

  /** What was not told, by the word in the middle of its event; undefined = all was. */
  untold(session: Session): Readonly<Record<string, string>> | undefined {
    const untold = this.#told.get(session)?.untold;
    if (untold === undefined || untold.size === 0) return undefined;
    return Object.fromEntries([...untold].map(([event, count]) => [event.split('.')[1] ?? event, String(count)]));
  }
}
