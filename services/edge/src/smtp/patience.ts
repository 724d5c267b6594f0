/**
 * What a connection waits for and since when, and which of its deadlines is over, in words that name the setting. It decides nothing and has no timer:
 * the sweep of the listener asks. Nothing is waited for while we owe the next word.
 */
import type { Clock } from '@postern/clock';
import type { LimitName } from '@postern/flow-control/session';
import { type Activity, type Deadlines, deadlineOf, type PassedDeadline, startActivity } from './deadlines.js';

export interface LostPatience {
  readonly limit: LimitName;
  readonly reason: string;
}

/** What the client owed: with it the command line is told from the handshake that has its deadline. */
export type Owed = 'line' | 'handshake';

const working: Activity = { kind: 'working' };
const seconds = (ms: number): string => `${ms / 1_000} s`;

const reasonOf: Readonly<Record<PassedDeadline, (deadlines: Deadlines, owed: Owed) => string>> = {
  command: ({ commandMs }, owed) =>
    `deadlines.command: no ${owed === 'line' ? 'whole line' : 'TLS handshake'} within ${seconds(commandMs)}`,
  message: ({ messageMs }) => `deadlines.message: a message not whole within ${seconds(messageMs)}`,
  silence: ({ silenceMs }) => `deadlines.silence: no byte of a message for ${seconds(silenceMs)}`,
  minimumRate: ({ minimumRate }) => `deadlines.minimumRate: fewer than ${minimumRate} bytes a second of a message`,
};

export class Patience {
  readonly #clock: Clock;
  readonly #begunMs: number;
  #activity: Activity;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begunMs = clock.monotonic();
    this.#activity = startActivity(this.#begunMs);
  }

  get isWorking(): boolean {
    return this.#activity.kind === 'working';
  }

  /** The client's turn begins: a line, an answer to a challenge, a handshake. */
  waits(): void {
    this.#activity = startActivity(this.#clock.monotonic());
  }

  works(): void {
    this.#activity = working;
  }

  /** Message bytes are due. */
  receives(): void {
    this.#activity = { kind: 'receiving', sinceMs: this.#clock.monotonic(), received: 0, checkedMs: 0 };
  }

  /** `received`: octets of the message under way. Undefined = there is time left. */
  lost(received: number, nowMs: number, deadlines: Deadlines, owed: Owed): LostPatience | undefined {
    const { sessionMs } = deadlines;
    if (this.#activity.kind === 'waiting' && sessionMs > 0 && nowMs - this.#begunMs > sessionMs)
      return { limit: 'session_time', reason: `deadlines.session: open for more than ${seconds(sessionMs)}` };
    const passed = deadlineOf(this.#activity, received, nowMs, deadlines);
    if (passed === 'none') return undefined;
    const limit = passed === 'command' ? 'command_time' : 'message_time';
    return { limit, reason: reasonOf[passed](deadlines, owed) };
  }
}
