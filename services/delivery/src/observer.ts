/** What the worker tells about itself; `telemetry.ts` turns it into metrics, log events and trace records. */
import type { Item } from '@postern/proto/mail/v1/item';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import type { Delivery } from '@postern/stream';

/**
 * Of a message of several items that was to be taken apart: each was put back by itself; WORK had no room for some, which are worked on here; or it did not
 * answer for one, so that the message was given back.
 */
export type ApartResult = 'put_back' | 'no_room' | 'no_answer';

export interface WorkerObserver {
  attempted(item: Item, outcomes: readonly Outcome[], durationMs: number): void;
  /** It may have been given out before, and its mark could not be read. */
  mayRepeat(item: Item): void;
  fenced(item: Item): void;
  outcomeNotStored(item: Item, reason: string): void;
  failed(item: Item, error: Error): void;
  apart(message: Delivery, items: number, result: ApartResult): void;
  parked(subject: string, reason: string, result: string): void;
}
