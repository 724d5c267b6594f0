/** What the main thread and a digest thread say to each other. Chunks are transferred, never shared. */
import type { BodyDigest, BodyForm } from '@postern/mail-auth';

export type ToThread =
  | { readonly kind: 'start'; readonly body: number; readonly forms: readonly BodyForm[] }
  | { readonly kind: 'chunk'; readonly body: number; readonly octets: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end'; readonly body: number }
  /** Nobody waits for it any more. */
  | { readonly kind: 'drop'; readonly body: number };

export type FromThread =
  | { readonly kind: 'taken'; readonly body: number; readonly bytes: number }
  | { readonly kind: 'digests'; readonly body: number; readonly digests: ReadonlyMap<string, BodyDigest> };
