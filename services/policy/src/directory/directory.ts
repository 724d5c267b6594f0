/**
 * What the service knows of recipients: one lookup per canonical address. `unavailable` is not `absent`: the projection cannot be asked, or
 * has never been written (no `d.epoch`), and nobody may conclude that a recipient does not exist.
 */
import type { RecipientEntry } from '@postern/proto/directory/v1/recipient';

export type Lookup =
  | { readonly kind: 'found'; readonly entry: RecipientEntry }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Directory {
  /** `address` in its canonical form. A value at once where it is known. */
  lookup(address: string): Lookup | Promise<Lookup>;
}
