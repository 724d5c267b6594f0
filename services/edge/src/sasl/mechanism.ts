/**
 * The server side of a SASL mechanism as one function: it gets the initial response, if any, and a way to challenge; it gives what is to be
 * verified. It verifies nothing itself and holds no secret longer than the call.
 */
import type { ChallengeMaterial, CredentialAnswer } from '../credentials.js';
import type { KerberosAcceptor } from './gssapi/acceptor.js';

/** What a client answers that is no response. */
export type SaslFault = 'cancelled' | 'malformed' | 'tooLong';

export type SaslResponse = Buffer | SaslFault;

export type SaslResult =
  | {
      readonly kind: 'exchanged';
      readonly username: string;
      readonly parameters: Readonly<Record<string, Buffer>>;
      /** Data of the TLS connection the exchange was bound to; absent = not bound. */
      readonly channelBinding?: Buffer;
      /** The client's turn before the final reply: it sees the server's proof, or what is wrong. Its response must be whole for a login. */
      readonly finish?: (answer: CredentialAnswer) => Promise<SaslResponse>;
    }
  /** Well formed, but can be right for nobody. */
  | {
      readonly kind: 'refused';
      readonly username: string;
      readonly parameters: Readonly<Record<string, Buffer>>;
      readonly reason: string;
    }
  | { readonly kind: SaslFault }
  /** What the exchange needs cannot be had now. */
  | { readonly kind: 'unavailable'; readonly username: string; readonly reason: string };

export type Challenge = (data: Buffer) => Promise<SaslResponse>;

/** RFC 5929 and RFC 9266: how an exchange is tied to the TLS connection below it. */
export type BindingType = 'tls-exporter' | 'tls-server-end-point';

/** What a mechanism may know of the connection. */
export interface SaslContext {
  /** Realm and host of challenges. */
  readonly hostname: string;
  /** The -PLUS of this mechanism is offered here, so a client that says it is not was lied to. */
  readonly offersBinding: boolean;
  binding(type: BindingType): Buffer | undefined;
  /** Printable, without comma, never twice. */
  nonce(): string;
  material(username: string, mechanism: string): Promise<ChallengeMaterial>;
  /** Absent where no keytab is. */
  readonly kerberos?: KerberosAcceptor | undefined;
}

export type Mechanism = (
  initial: Buffer | undefined,
  challenge: Challenge,
  context: SaslContext,
) => Promise<SaslResult>;

/** Octets of a name or password that are looked at. */
export const maxCredentialLength = 1_024;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A login as typed: UTF-8 without control characters; undefined where it is none. */
export function readUsername(octets: Buffer): string | undefined {
  if (octets.length === 0 || octets.length > maxCredentialLength) return undefined;
  try {
    const text = utf8.decode(octets);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    return /[\x00-\x1f\x7f-\x9f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
