/**
 * What can go wrong with a connection to a next hop, as a value. A refused recipient is no failure: see outcome.ts.
 * `temporary` is what the failure says about the mail; a caller with another host to try tries it first.
 */
import type { ServerReply } from '@postern/smtp-core';

export type Stage =
  | 'connect'
  | 'greeting'
  | 'hello'
  | 'starttls'
  | 'tls'
  | 'auth'
  | 'reset'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'body'
  | 'final'
  | 'quit';

export type FailureReason =
  | 'timeout'
  | 'closed'
  /** Error of the socket; `code` has its name (ECONNREFUSED, EADDRNOTAVAIL ...). */
  | 'network'
  /** The server broke the protocol: malformed, endless or unasked replies. */
  | 'protocol'
  | 'aborted'
  /** The server said no: `reply` has its words. */
  | 'refused'
  /** STARTTLS or AUTH needed and not offered. */
  | 'notOffered'
  /** TLS stands, its certificate does not do. */
  | 'certificate'
  /** A kept connection was closed by the server before anything was sent: try at once on a fresh one. */
  | 'stale';

export interface ConnectionFailure {
  readonly stage: Stage;
  readonly reason: FailureReason;
  readonly temporary: boolean;
  /** System or TLS error code, or null. */
  readonly code: string | null;
  readonly reply: ServerReply | null;
  readonly detail: string;
}

/** A fault of the wire, before it is known at which stage it hurt. */
export interface WireFault {
  readonly reason: 'timeout' | 'closed' | 'network' | 'protocol' | 'aborted';
  readonly code: string | null;
  readonly detail: string;
}

export function failureOf(stage: Stage, fault: WireFault): ConnectionFailure {
  return { stage, reason: fault.reason, temporary: true, code: fault.code, reply: null, detail: fault.detail };
}

export function refusedBy(stage: Stage, reply: ServerReply, temporary: boolean): ConnectionFailure {
  return { stage, reason: 'refused', temporary, code: null, reply, detail: `${stage} refused with ${reply.code}` };
}

export function unmet(stage: Stage, reason: FailureReason, detail: string): ConnectionFailure {
  return { stage, reason, temporary: true, code: null, reply: null, detail };
}

/** A thrown value as a wire fault: only its code and message, never its stack. */
export function networkFault(error: unknown): WireFault {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
  return { reason: 'network', code, detail: error instanceof Error ? error.message : String(error) };
}
