/**
 * W3C trace context: the traceparent header, and the ids in it. Ids exist whether or not anything is exported, so that
 * log lines of one message can be joined over services. https://www.w3.org/TR/trace-context/ §3.2
 */
import type { Random } from '@postern/clock';

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;
const zeroTrace = '0'.repeat(32);
const zeroSpan = '0'.repeat(16);

export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId, spanId, flags] = (text.length <= 128 && pattern.exec(text)) || [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === 'ff' || (version === '00' && text.length !== 55)) return undefined;
  if (traceId === zeroTrace || spanId === zeroSpan) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

const poolBytes = 4096;

/** Random hexadecimal ids, taken from a pool: one system call for some 170 spans. */
export class TraceIds {
  readonly #random: Random;
  #pool: Buffer = Buffer.alloc(0);
  #used = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  traceId(): string {
    const id = this.#hex(16);
    return id === zeroTrace ? this.traceId() : id;
  }

  spanId(): string {
    const id = this.#hex(8);
    return id === zeroSpan ? this.spanId() : id;
  }

  #hex(bytes: number): string {
    if (this.#used + bytes > this.#pool.length) {
      this.#pool = this.#random.bytes(poolBytes);
      this.#used = 0;
    }
    this.#used += bytes;
    return this.#pool.toString('hex', this.#used - bytes, this.#used);
  }
}
