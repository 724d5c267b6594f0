/**
 * A server that could not write a stream (no space left, an I/O error) has lost its place in it: nats-server 2.10 then counts on from 1, durable consumers
 * pass over what is stored below their position, and the next start may drop it. So after such a fault nothing this server acknowledges counts as stored
 * until it was started again, which puts its place right (a new server id). Seen in two ways: the server says so; or a sequence, acknowledged or reported,
 * is not above one that was known before. A clustered server ends its JetStream by itself and another leads: there the message is only asked about again.
 */
import type { ServerInfo } from '@nats-io/nats-core';

/** Largest sequence seen, by first token of the subject; a token belongs to one stream. */
type Places = Map<string, number>;

const wayOut = 'nothing is taken until nats-server has room and was started again';

function tokenOf(subject: string): string {
  const dot = subject.indexOf('.');
  return dot < 0 ? subject : subject.slice(0, dot);
}

export class StoreGuard {
  #places: Places = new Map();
  #server = '';
  #damage: string | undefined;

  /** `info`: of the server now connected to. `onDamage`: told once for a server. */
  constructor(
    private readonly info: () => Pick<ServerInfo, 'server_id' | 'cluster'> | undefined,
    private readonly onDamage: (reason: string) => void,
  ) {}

  /** Why nothing counts as stored; undefined = it does. */
  damage(): string | undefined {
    this.#look();
    return this.#damage;
  }

  /** To be asked before a message is sent: what it is stored at must be above. */
  place(subject: string): number {
    this.#look();
    return this.#places.get(tokenOf(subject)) ?? 0;
  }

  /** A sequence acknowledged or reported for the subject, when `above` was known beforehand. False = the stream went back. */
  isInPlace(subject: string, sequence: number, above: number): boolean {
    this.#look();
    if (sequence < above) {
      this.report(`the stream of ${tokenOf(subject)} went back from ${above} to ${sequence}`);
      return false;
    }
    const token = tokenOf(subject);
    if (sequence > (this.#places.get(token) ?? 0)) this.#places.set(token, sequence);
    return this.#damage === undefined;
  }

  report(reason: string): void {
    this.#look();
    if (this.#damage !== undefined || this.info()?.cluster !== undefined) return;
    this.#damage = `${reason}: ${wayOut}`;
    this.onDamage(this.#damage);
  }

  #look(): void {
    const server = this.info()?.server_id ?? '';
    if (server === '' || server === this.#server) return;
    this.#server = server;
    this.#places = new Map();
    this.#damage = undefined;
  }
}
