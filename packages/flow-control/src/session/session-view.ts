/** What of a session its terms depend on: who connected where, what was said so far. The edge's own session is one; a described one is another. */
import type { ClientCertificate } from '@postern/proto/policy/v1/policy_service';

export type ListenerRole = 'mx' | 'submission' | 'submissions';

export interface ListenerFacts {
  readonly name: string;
  readonly role: ListenerRole;
}

export interface Greeting {
  readonly name: string;
  readonly esmtp: boolean;
}

export interface TlsFacts {
  readonly version: string;
  readonly cipher: string;
  /** Certificate the client showed. */
  readonly clientCertificate?: ClientCertificate;
  /** Why that certificate is not valid. */
  readonly certificateFault?: string;
}

export interface Login {
  /** user@domain. */
  readonly user: string;
  readonly tenant: string;
  readonly mechanism: string;
}

export interface SessionView {
  readonly listener: ListenerFacts;
  /** Whose mail it is. */
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** The peer's address seems to stand for many clients (source NAT): a network it is in gives it no right. */
  readonly addressSuspected: boolean;
  /** Named set the client is in. */
  readonly ipSet: string | undefined;
  /** Host name the client asked a TLS proxy in front of us for. */
  readonly proxyAuthority?: string | undefined;
  readonly greeting: Greeting | undefined;
  readonly tls: TlsFacts | undefined;
  readonly login: Login | undefined;
  /** Messages accepted, their bytes, and what was refused for good. */
  readonly messages: number;
  readonly bytes: number;
  readonly errors: number;
}
