/**
 * What the worker wants of a conversation with one host: every recipient ends in exactly one answer, or the host could not be talked to and
 * the next one is tried. `smtp-transport.ts` does it over the pool of connections.
 */
import type { Item, NextHop } from '@postern/proto/mail/v1/item';

export interface Hop {
  readonly host: string;
  readonly address: string;
  readonly settings: NextHop;
  /** Password for the login, already opened. */
  readonly password?: string;
}

export interface RecipientAnswer {
  readonly address: string;
  readonly disposition: 'accepted' | 'temporary' | 'permanent';
  /** 0 = no reply (connection lost). */
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
  /** The connection died after the final dot: the host may have the message. */
  readonly maybeDelivered: boolean;
}

export type AttemptResult =
  /** Nothing was decided: try the next host. */
  | { readonly kind: 'unreachable'; readonly text: string; readonly code: number; readonly enhanced: string }
  | { readonly kind: 'answered'; readonly answers: readonly RecipientAnswer[]; readonly tlsVersion: string }
  /** The fence closed before the final dot: leave the item alone, another worker has it. */
  | { readonly kind: 'fenced' };

export interface Attempt {
  readonly item: Item;
  /** Called once per host tried: gives the rendered bytes from the beginning. */
  readonly open: () => RenderedMessage;
  readonly mayFinish: () => boolean;
}

export interface RenderedMessage {
  readonly size: number;
  readonly chunks: AsyncIterable<Buffer> | Iterable<Buffer>;
}

export interface Transport {
  attempt(hop: Hop, attempt: Attempt): Promise<AttemptResult>;
  close(): Promise<void>;
}
