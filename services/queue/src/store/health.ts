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

/**
 * By SQLSTATE class: 22 (wrong values), 23 (constraints by name) and 54 (too large for an index) are the data's fault, 40 another
 * transaction's, and so is a row that met a partition being attached (23514 without a constraint's name). Everything else is the server or
 * the way to it: when in doubt it is tried again, since what is parked leaves the ledger.
 */
export function failureKind(error: unknown): FailureKind {
  if (!(error instanceof pg.DatabaseError)) return 'away';
  const state = error.code ?? '';
  if (/^(22|54)/.test(state)) return 'data';
  if (state.startsWith('23')) return state === '23514' && error.constraint === undefined ? 'conflict' : 'data';
  return state.startsWith('40') ? 'conflict' : 'away';
}
