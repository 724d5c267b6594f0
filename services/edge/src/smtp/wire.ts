/**
 * What the dialogue may do with a connection. The connection implements it over a socket, tests over an array.
 * Replies are gathered and written when nothing more can be done with what has come, so a pipelined group costs one write (RFC 2920 §3.2).
 */
import type { Reply } from '@postern/smtp-core';
import type { BindingType } from '../sasl/mechanism.js';
import type { AwaitedLine, MessageEnd, MessageSink } from './command-stream.js';
import type { ContentReader } from './line-policy.js';
import type { Opening } from './place.js';

export interface Wire {
  reply(reply: Reply): void;
  flush(): void;
  readLine(): Promise<AwaitedLine>;
  readMessage(reader: ContentReader, sink: MessageSink): Promise<MessageEnd>;
  takeLine(accept: (line: string) => boolean): string | undefined;
  readonly hasPipelined: boolean;
  readonly isClosed: boolean;
  startTls(): void;
  /** Data that is of this TLS connection alone (RFC 5929, RFC 9266); undefined in plain, or where it cannot be told. */
  channelBinding(type: BindingType): Buffer | undefined;
  /** Asks admission again for the client the session has now; what was given for the one before is given back. */
  readmit(): Promise<Opening>;
  /** Writes what is gathered and ends the connection. */
  close(): void;
}
