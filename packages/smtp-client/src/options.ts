/** How to reach a next hop. Names are resolved by the caller: this package asks no DNS. */
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Clock } from '@postern/clock';
import { type ReplyParserLimits, SMTP_CLIENT_TIMEOUTS } from '@postern/smtp-core';
import type { TranscriptOptions } from './transcript.js';

/**
 * none: never. opportunistic: if offered, any certificate (RFC 7435). required: no mail without TLS, any certificate
 * unless `checkPeer` says no (DANE). verified: chain and name by the system's or the given authorities (MTA-STS).
 */
export type TlsMode = 'none' | 'opportunistic' | 'required' | 'verified';

export interface TlsSettings {
  readonly mode: TlsMode;
  /** TLS from the first octet (port 465) in place of STARTTLS. */
  readonly implicit?: boolean;
  /** Name for SNI and verification: the next hop's host name. */
  readonly serverName?: string;
  /** Authorities, client certificate, versions, ciphers. Default minimum: TLSv1.2. */
  readonly context?: SecureContextOptions;
  /** A last word on the peer after the handshake: null = good, else why not. */
  readonly checkPeer?: (socket: TLSSocket) => string | null | Promise<string | null>;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Passwords may go over a connection without TLS: only for a next hop on the same machine. */
  readonly allowPlaintext?: boolean;
}

export interface Timeouts {
  readonly connect: number;
  readonly greeting: number;
  readonly command: number;
  readonly tls: number;
  readonly mail: number;
  readonly rcpt: number;
  readonly dataInitiation: number;
  readonly dataBlock: number;
  readonly dataTermination: number;
  readonly quit: number;
}

/** RFC 5321 §4.5.3.2 where it speaks. */
export const DEFAULT_TIMEOUTS: Timeouts = { ...SMTP_CLIENT_TIMEOUTS, connect: 30_000, tls: 60_000, quit: 10_000 };

export interface ConnectOptions {
  /** IP address. */
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** A connected socket to use in place of a new one: egress through a proxy. */
  readonly socket?: Socket;
  /** What we call ourselves in EHLO. */
  readonly localName: string;
  readonly protocol: 'smtp' | 'lmtp';
  readonly tls: TlsSettings;
  readonly credentials?: Credentials;
  readonly timeouts?: Partial<Timeouts>;
  readonly replyLimits?: ReplyParserLimits;
  readonly transcript?: TranscriptOptions;
  readonly clock: Clock;
  /** Aborts the connection at any stage, also later while it is in use. */
  readonly signal?: AbortSignal;
}
