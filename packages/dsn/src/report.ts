/** What a delivery status notification has to say. RFC 3464 §2; who gets one is decided in notify.ts. */
import type { EnhancedCode, OriginalRecipient, ServerReply } from '@postern/smtp-core';

/** RFC 3464 §2.3.3 */
export type ReportAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface ReportedRecipient {
  readonly action: ReportAction;
  /** The address we tried to deliver to. */
  readonly finalRecipient: string;
  /** ORCPT as given, or null. */
  readonly originalRecipient: OriginalRecipient | null;
  readonly status: EnhancedCode;
  /** The words of the next hop, or null where none spoke. */
  readonly reply: ServerReply | null;
  readonly remoteMta: string | null;
  /** Milliseconds, or null. */
  readonly lastAttemptAt: number | null;
  /** For `delayed`: until when we try, in milliseconds. */
  readonly retryUntil: number | null;
  /** One sentence for a person, where we have more to say than the next hop did. */
  readonly explanation?: string;
  /** Where no server spoke: what happened on the way, in technical words, for the machine-readable part. */
  readonly diagnosis?: string;
}

export interface ReturnedMessage {
  /** Header section with its empty line. */
  readonly header: Buffer;
  /** Header and body, or null where the body is not at hand. */
  readonly content: (() => AsyncIterable<Buffer> | Iterable<Buffer>) | null;
  /** Octets of header and body. */
  readonly size: number;
  /** The body or the header holds octets beyond 127. */
  readonly eightBit: boolean;
  /** The transaction was SMTPUTF8: the header may hold UTF-8. */
  readonly smtputf8: boolean;
}

/** Words of the operator or tenant. Control characters become spaces. */
export interface ReportText {
  readonly subject?: string;
  /** First paragraph. */
  readonly opening?: string;
  /** Last paragraph. */
  readonly closing?: string;
}

export interface ReportFacts {
  /** ULID of the report: Message-ID and boundary come from it. */
  readonly id: string;
  /** Host name. */
  readonly reportingMta: string;
  /** Address in From; default MAILER-DAEMON at the host. */
  readonly from?: string;
  /** Reverse-path of the message reported on; never ''. */
  readonly to: string;
  readonly queueId: string;
  readonly envelopeId: string | null;
  readonly ret: 'FULL' | 'HDRS' | null;
  readonly arrivedAt: number;
  readonly now: number;
  readonly recipients: readonly ReportedRecipient[];
  readonly original: ReturnedMessage;
  /** Messages larger than this come back as headers only; default 256 KiB. */
  readonly maxReturnedBytes?: number;
  readonly text?: ReportText;
}

export interface Report {
  /** RFC 3464 §2: the null path. */
  readonly reversePath: '';
  readonly forwardPath: string;
  readonly returned: 'full' | 'headers';
  /** What the next hop must offer for it. */
  readonly body: '7BIT' | '8BITMIME';
  readonly smtputf8: boolean;
  /** The message, CRLF line ends, to be read as often as needed. */
  readonly content: () => AsyncGenerator<Buffer, void, undefined>;
}
