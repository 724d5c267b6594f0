/** A message on its way out, and what became of each of its recipients. */
import type { BodyType, Notify, ServerReply } from '@postern/smtp-core';
import type { ConnectionFailure } from './failure.js';

export interface OutboundRecipient {
  /** Canonical address, or `postmaster`. */
  readonly forwardPath: string;
  /** `[]` = NEVER, null = not given. */
  readonly notify?: Notify | null;
  /** ORCPT as it goes on the wire: `rfc822;user+2Btag@example.com`. */
  readonly originalRecipient?: string | null;
}

export interface OutboundMessage {
  /** '' = the null path. */
  readonly reversePath: string;
  readonly recipients: readonly OutboundRecipient[];
  readonly body: BodyType;
  /** The envelope or the header section needs SMTPUTF8. */
  readonly smtputf8: boolean;
  readonly requireTls?: boolean;
  readonly ret?: 'FULL' | 'HDRS' | null;
  /** Decoded. */
  readonly envelopeId?: string | null;
  /** Octets, for SIZE; null = unknown. */
  readonly size: number | null;
  /** Send 8-bit content also where 8BITMIME is not offered. */
  readonly assume8bit?: boolean;
  /** Opened once, after the server asked for data. */
  readonly content: () => AsyncIterable<Buffer> | Iterable<Buffer>;
  /** Asked right before the final dot: false = close without it, nothing is sent. */
  readonly beforeFinalDot?: () => boolean | Promise<boolean>;
}

/** What the message needs and the next hop does not have. Nothing was sent. */
export type MissingFeature = 'SMTPUTF8' | '8BITMIME' | 'BINARYMIME' | 'REQUIRETLS' | 'SIZE';

export type ReplyStage = 'mail' | 'rcpt' | 'data' | 'final';

export type RecipientOutcome =
  | { readonly kind: 'accepted'; readonly reply: ServerReply }
  | { readonly kind: 'temporary'; readonly stage: ReplyStage; readonly reply: ServerReply }
  | { readonly kind: 'permanent'; readonly stage: ReplyStage; readonly reply: ServerReply }
  | { readonly kind: 'notSupported'; readonly feature: MissingFeature }
  /** The connection failed before the final dot: the server has not got the message. */
  | { readonly kind: 'failed'; readonly failure: ConnectionFailure }
  /** The connection failed after the final dot: the server may have the message. A retry may make a duplicate. */
  | { readonly kind: 'unknownAfterDot'; readonly failure: ConnectionFailure }
  /** beforeFinalDot said no. */
  | { readonly kind: 'fenced' }
  /** The content holds a CR or LF of its own: it must never go out as it is. */
  | { readonly kind: 'bareNewline' }
  /** The content could not be read: a fault on our side. */
  | { readonly kind: 'sourceFailed'; readonly detail: string };

export interface SendResult {
  /** In the order of the message's recipients. */
  readonly outcomes: readonly RecipientOutcome[];
  /** Octets of content on the wire, with stuffing. */
  readonly bytes: number;
}

export function outcomeOf(stage: ReplyStage, reply: ServerReply): RecipientOutcome {
  if (reply.code >= 200 && reply.code < 300) return { kind: 'accepted', reply };
  return { kind: reply.code >= 500 ? 'permanent' : 'temporary', stage, reply };
}
