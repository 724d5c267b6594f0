/** What the worker tells about itself; `telemetry.ts` turns it into metrics, log events and trace records. */
import type { Item } from '@postern/proto/mail/v1/item';
import type { Outcome } from '@postern/proto/mail/v1/outcome';

export interface WorkerObserver {
  attempted(item: Item, outcomes: readonly Outcome[], durationMs: number): void;
  fenced(item: Item): void;
  outcomeNotStored(item: Item, reason: string): void;
  failed(item: Item, error: Error): void;
  parked(subject: string, reason: string, result: string): void;
}
