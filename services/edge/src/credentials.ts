/** What AUTH asks of provisioning. `unavailable` becomes 454, `denied` 535 (RFC 4954 §6); the reason is for the log only. */
export interface CredentialQuestion {
  readonly mechanism: string;
  /** As typed. */
  readonly username: string;
  readonly parameters: Readonly<Record<string, Buffer>>;
  readonly sessionId: string;
  readonly clientAddress: string;
}

export type CredentialAnswer =
  | { readonly kind: 'verified'; readonly user: string; readonly tenant: string; readonly cached: boolean }
  | { readonly kind: 'denied'; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface CredentialPort {
  verify(question: CredentialQuestion): Promise<CredentialAnswer>;
}
