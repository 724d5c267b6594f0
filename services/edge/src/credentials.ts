/** What AUTH asks of provisioning. `unavailable` becomes 454, `denied` 535 (RFC 4954 §6); the reason is for the log only. */
import type { LimitName } from '@postern/flow-control/session';

export interface CredentialQuestion {
  readonly mechanism: string;
  /** As typed. */
  readonly username: string;
  readonly parameters: Readonly<Record<string, Buffer>>;
  /** Data of the TLS connection the exchange was bound to; empty = not bound. */
  readonly channelBinding: Buffer;
  readonly sessionId: string;
  readonly clientAddress: string;
  /** A client that answers for its own users: never slowed down, and what it fails at is counted apart. */
  readonly isTrusted?: boolean;
}

export type CredentialAnswer =
  | {
      readonly kind: 'verified';
      readonly user: string;
      readonly tenant: string;
      readonly cached: boolean;
      readonly serverProof?: Buffer;
    }
  | { readonly kind: 'denied'; readonly reason: string }
  /** `limit`: why nobody was asked. */
  | { readonly kind: 'unavailable'; readonly reason: string; readonly limit?: LimitName };

export type ChallengeMaterial =
  | { readonly kind: 'material'; readonly salt: Buffer; readonly iterations: number; readonly available: boolean }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** `isKnown`: there is such a user, who may not log in. */
export type LoginStanding =
  | { readonly kind: 'usable'; readonly user: string; readonly tenant: string }
  | { readonly kind: 'unusable'; readonly isKnown: boolean; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface CredentialPort {
  /** What a challenge needs to know of the user; unknown users get stable fakes. */
  material(username: string, mechanism: string, sessionId: string): Promise<ChallengeMaterial>;
  verify(question: CredentialQuestion): Promise<CredentialAnswer>;
  /** Whether a login that was proved elsewhere could be used now; proves nothing. */
  standing(username: string, sessionId: string): Promise<LoginStanding>;
}
