/** Recordings in memory, with the contract of those in Redis but for their bounds. */
import { RecordedStep } from '@postern/proto/policy/v1/policy_service';
import type { RecordingStore } from '../recording/recording-store.js';
import { summaryOf } from '../recording/session-summary.js';

export function memoryRecordings(): RecordingStore & { readonly sessions: ReadonlyMap<string, Uint8Array[]> } {
  const sessions = new Map<string, Uint8Array[]>();
  const keyOf = (tenant: string, sessionId: string): string => `${tenant} ${sessionId}`;
  return {
    sessions,
    async append(tenant, sessionId, step) {
      const key = keyOf(tenant, sessionId);
      const steps = sessions.get(key) ?? [];
      sessions.set(key, [...steps, RecordedStep.encode(step).finish()]);
      return true;
    },
    list: async (tenant) =>
      [...sessions].flatMap(([key, steps]) => {
        const [of = '', sessionId = ''] = key.split(' ');
        const last = steps.at(-1);
        return of !== tenant || last === undefined ? [] : [summaryOf(tenant, sessionId, RecordedStep.decode(last))];
      }),
    read: async (tenant, sessionId) =>
      (sessions.get(keyOf(tenant, sessionId)) ?? []).map((bytes) => RecordedStep.decode(bytes)),
  };
}
