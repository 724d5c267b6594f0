/**
 * When the next attempt is made (RFC 5321 §4.5.4.1): first retry after 5 minutes, doubling to a cap of 8 hours, for 5 days; all from the
 * snapshot. Jitter spreads what failed together by up to a tenth, never beyond the end of the lifetime. Pure.
 */
import type { RetrySchedule } from '@postern/proto/config/v1/snapshot';

export interface Schedule {
  readonly firstMs: number;
  readonly capMs: number;
  readonly lifetimeMs: number;
  /** 0 = no delay notice. */
  readonly delayNoticeMs: number;
}

const jitter = 0.1;

export function scheduleOf(settings: RetrySchedule | undefined): Schedule {
  return {
    firstMs: settings?.firstMs || 300_000,
    capMs: settings?.capMs || 28_800_000,
    lifetimeMs: settings?.lifetimeMs || 432_000_000,
    delayNoticeMs: settings?.delayNoticeMs ?? 0,
  };
}

/** `attempt` was the last one made, 1-based; `random` in [0, 1); `ruledMs`: waiting times a rule chose, the last one repeats. */
export function nextAttemptAt(
  schedule: Schedule,
  attempt: number,
  nowMs: number,
  expiresAtMs: number,
  random: number,
  ruledMs: readonly number[] = [],
): number {
  const doubled = schedule.firstMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 40);
  const ruled = ruledMs[Math.min(Math.max(attempt, 1), ruledMs.length) - 1];
  const interval = ruled ?? Math.min(doubled, schedule.capMs);
  return Math.min(Math.round(nowMs + interval * (1 + jitter * random)), Math.max(expiresAtMs, nowMs));
}

/** RFC 3461 §4.1: a delay notice is ours to send when NOTIFY allows it; once per recipient. */
export function delayNoticeDue(schedule: Schedule, acceptedAtMs: number, nowMs: number, notified: boolean): boolean {
  return !notified && schedule.delayNoticeMs > 0 && nowMs - acceptedAtMs >= schedule.delayNoticeMs;
}
