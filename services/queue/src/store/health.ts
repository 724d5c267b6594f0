/**
 * Whether PostgreSQL is there, as the loops that use it see it. Told on every change; asked by intake, which then lets nothing wait for rows.
 * Also tells failures apart: of the connection (away), of concurrency (try again at once), of the data (never will work).
 */
import pg from 'pg';

export interface StoreHealth {
  failed(reason: string): void;
  succeeded(): void;
  readonly away: boolean;
}

export function createStoreHealth(onChange: (away: boolean, reason: string) => void): StoreHealth {
  let away = false;
  return {
    failed(reason) {
      if (away) return;
      away = true;
      onChange(true, reason);
    },
    succeeded() {
      if (!away) return;
      away = false;
      onChange(false, '');
    },
    get away() {
      return away;
    },
  };
}

export type FailureKind = 'away' | 'conflict' | 'data';

/** By SQLSTATE class: 22 and 23 are the data's fault, 40 another transaction's; everything else is the server or the way to it. */
export function failureKind(error: unknown): FailureKind {
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : '';
  if (/^(22|23)/.test(state)) return 'data';
  return state.startsWith('40') ? 'conflict' : 'away';
}
