/**
 * What a session asks of policy. A failure to answer is a value, never a judgement: the caller's fallback is 451, or admission marked
 * `unjudged` where the snapshot says so (design.md, step 2). Implementations carry the deadline; nothing here rejects.
 */
import type { EvaluateRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';

export type PolicyAnswer =
  | { readonly kind: 'verdict'; readonly verdict: EvaluateResponse }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface ContentPatience {
  /** The client may take as long as this to send the message. */
  readonly uploadMs: number;
  /** Policy may be silent as long as this: with more to take, or with its verdict once all was sent. */
  readonly silenceMs: number;
}

/** A message larger than the inline limit on its way to policy while it is spooled. */
export interface ContentExchange {
  /** A promise = wait with more. */
  write(content: Buffer): Promise<void> | undefined;
  /** All bytes were sent and the line policy holds. */
  finish(size: number): Promise<PolicyAnswer>;
  cancel(): void;
}

export interface PolicyPort {
  evaluate(request: EvaluateRequest, deadlineMs: number): Promise<PolicyAnswer>;
  content(request: EvaluateRequest, patience: ContentPatience): ContentExchange;
  /** The session is over. */
  end(sessionId: string): void;
}
