/** What the bench wants of a system under test: where it listens, which processes it is, and when it has finished what it took. */

/** One message of the load, followed to its end. */
export interface Proof {
  readonly queueId: string;
  /** As the sink took it. */
  readonly arrived: Buffer;
}

export interface Peer {
  readonly name: string;
  readonly port: number;
  /** Where the load comes from; absent = 127.0.0.1. */
  readonly clientAddress?: string;
  /** Roots of its process trees; asked anew for every measurement. */
  pids(): Promise<readonly number[]>;
  /** The letter of the load; absent = an unsigned one from load@sender.test. */
  letter?(size: number): { readonly from: string; readonly data: Buffer };
  /** Recipient of a message; absent = a user of bench.test. */
  to?(number: number): string;
  /** Asked before anything is counted: throws where a message is not given the work that is claimed. */
  prove?(proof: Proof): Promise<void>;
  /** CPU seconds by part, for the table of where it goes; absent = not known. */
  parts?(): Promise<Readonly<Record<string, readonly number[]>>>;
  /** Resolves when everything accepted has reached the sink (`sunk` messages in all since the start). */
  drained(sunk: () => number, expected: number): Promise<void>;
  stop(): Promise<void>;
}

export interface PeerFactory {
  readonly name: string;
  /** Mail goes to the sink on this port. */
  start(sinkPort: number): Promise<Peer>;
}

export async function waitSunk(sunk: () => number, expected: number, timeoutMs = 120_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (sunk() < expected) {
    if (Date.now() > end) throw new Error(`only ${sunk()} of ${expected} messages reached the sink`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
