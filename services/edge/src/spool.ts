/**
 * Where message bytes go while they come, and the durable write before 250 (design.md, step 5). Up to the inline limit they are held and
 * travel inside the SPOOL message; beyond it they go to BODIES chunk by chunk and only their beginning is kept for the header checks.
 * Invariant: memory per message is bounded by the inline limit and the body writer's window, whatever its size; `stored` is the only answer
 * that allows 250.
 */
import type { Envelope } from '@postern/proto/mail/v1/envelope';

export type SpoolResult =
  | { readonly kind: 'stored' }
  /** The stream said no: nothing was stored. */
  | { readonly kind: 'full'; readonly reason: string }
  /** No answer in time: it may have been stored. */
  | { readonly kind: 'unknown'; readonly reason: string };

export interface SpoolWriter {
  /** Takes content; a promise = wait with more. Never rejects: a failure is kept for `commit`. */
  write(content: Buffer): Promise<void> | undefined;
  /** True when the bytes go to BODIES. */
  readonly isLarge: boolean;
  /** The bytes so far, or the first ones of a large message. */
  head(): Buffer;
  /** Stores the envelope with the bytes; sets its body. */
  commit(envelope: Envelope): Promise<SpoolResult>;
  /** Forgets the message. */
  abort(): void;
}

export interface Spool {
  open(queueId: string): SpoolWriter;
}
