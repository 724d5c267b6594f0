/**
 * What the fuzzer sent and what arrived at the next hop. Every message carries a token in its first line. Judged: nothing that was accepted is missing,
 * nothing that was refused arrives, each recipient gets each message once, its bytes are those sent, no bare CR, LF or NUL travels on, and no
 * envelope that was only text inside a message (`smuggled@`) ever becomes one.
 */
import { createHash } from 'node:crypto';
import type { SunkMessage } from '@postern/testkit/smtp';

export type Fate = 'accepted' | 'refused' | 'unknown';

interface Sent {
  fate: Fate;
  readonly recipients: readonly string[];
  readonly length: number;
  readonly digest: string;
  readonly arrived: Set<string>;
}

const tokenLine = /(?:^|\r\n)X-Fuzz: ([a-z0-9-]{1,40})\r\n/;
const digestOf = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('base64');

/** Offset of the first octet that is half a line end, or NUL; -1 = none. */
export function strayOctet(data: Buffer): number {
  for (let at = 0; at < data.length; at++) {
    const octet = data[at];
    if (octet === 0) return at;
    if (octet === 0x0d && data[at + 1] !== 0x0a) return at;
    if (octet === 0x0a && data[at - 1] !== 0x0d) return at;
  }
  return -1;
}

export class SentBook {
  readonly problems: string[] = [];
  readonly #sent = new Map<string, Sent>();
  readonly #copied = new Set<string>();
  #arrivals = 0;
  #accepted = 0;

  /** Before the bytes leave; `data` unstuffed, as the next hop must get it. */
  send(token: string, recipients: readonly string[], data: Buffer): void {
    this.#sent.set(token, {
      fate: 'unknown',
      recipients,
      length: data.length,
      digest: digestOf(data),
      arrived: new Set(),
    });
  }

  settle(token: string, code: number | undefined): void {
    const sent = this.#sent.get(token);
    if (sent === undefined || code === undefined) return;
    sent.fate = code === 250 ? 'accepted' : 'refused';
    if (code === 250) this.#accepted++;
  }

  /** Its rows were copied by us: it may arrive more than once. */
  allowCopies(token: string): void {
    this.#copied.add(token);
  }

  get accepted(): number {
    return this.#accepted;
  }

  get arrivals(): number {
    return this.#arrivals;
  }

  arrive(message: Omit<SunkMessage, 'client'>): void {
    this.#arrivals++;
    const { data, recipients, reversePath } = message;
    const token = tokenLine.exec(data.toString('latin1', 0, 262_144))?.[1];
    const complain = (what: string): void => {
      this.problems.push(`${what}: ${token ?? 'no token'} from <${reversePath}> to ${recipients.join(',')}`);
    };
    const stray = strayOctet(data);
    if (stray !== -1) complain(`octet ${data[stray]} at ${stray} went on`);
    if ([reversePath, ...recipients].some((path) => path.startsWith('smuggled@'))) complain('a smuggled envelope');
    const sent = token === undefined ? undefined : this.#sent.get(token);
    if (sent === undefined) return;
    if (sent.fate === 'refused') complain('a refused message');
    for (const recipient of recipients) {
      if (sent.arrived.has(recipient) && !this.#copied.has(token ?? '')) complain('a second copy');
      sent.arrived.add(recipient);
    }
    const own = data.subarray(Math.max(0, data.length - sent.length));
    if (digestOf(own) !== sent.digest) complain(`other bytes than sent (${data.length} octets, sent ${sent.length})`);
  }

  /** Accepted, and not arrived for every recipient. */
  missing(): string[] {
    return [...this.#sent]
      .filter(([, { fate, recipients, arrived }]) => fate === 'accepted' && recipients.some((one) => !arrived.has(one)))
      .map(([token]) => token);
  }
}
