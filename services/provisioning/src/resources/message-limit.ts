/** Rates of messages as the API takes them and the database keeps them; one without any limit is none. */
import type { MessageRate } from '@postern/proto/config/v1/snapshot';
import type { MessageLimit } from '@postern/proto/provisioning/v1/resources';
import { invalid } from '../request-fields.js';

/** As stored. */
export type StoredRate = MessageRate;

const leastMs = 1_000;
const longestMs = 86_400_000;
const usualMs = 3_600_000;
const mostBytes = Number.MAX_SAFE_INTEGER;

export function storedRate(field: string, limit: MessageLimit | undefined): StoredRate | null {
  if (limit === undefined) return null;
  const { messages, recipients, bytes, intervalMs } = limit;
  if (bytes < 0 || bytes > mostBytes) throw invalid(`${field}.bytes`, String(bytes), `0 to ${mostBytes}`);
  if (intervalMs !== 0 && (intervalMs < leastMs || intervalMs > longestMs))
    throw invalid(
      `${field}.interval_ms`,
      String(intervalMs),
      `${leastMs} to ${longestMs} milliseconds (1s to 1d), or 0 for an hour`,
    );
  if (messages === 0 && recipients === 0 && bytes === 0) return null;
  return { messages, recipients, bytes, intervalMs: intervalMs === 0 ? usualMs : intervalMs };
}

export const shownRate = (rate: StoredRate | null): MessageLimit | undefined => rate ?? undefined;
