/**
 * How long the certificates of this pod are good, for `status`, the log and the metric: changed files that could not be used, one that is over,
 * one that soon will be. Pure.
 */
import type { Standing } from '@postern/stream';
import type { Certificate } from './certificate-files.js';

const dayMs = 86_400_000;
/** Certificates of automatic authorities are renewed a month before their end; what is this near was not. */
export const soonMs = 14 * dayMs;

export interface Ending {
  readonly name: string;
  readonly expiresAtMs: number;
  readonly isOver: boolean;
}

/** Over or nearly so, the earliest first. */
export const endings = (certificates: readonly Certificate[], nowMs: number): Ending[] =>
  certificates
    .filter(({ expiresAtMs }) => expiresAtMs - nowMs < soonMs)
    .map(({ name, expiresAtMs }) => ({ name, expiresAtMs, isOver: expiresAtMs <= nowMs }))
    .sort((one, other) => one.expiresAtMs - other.expiresAtMs);

/** Seconds since 1970 of the first end; 0 = there is no certificate. */
export const firstEnd = (certificates: readonly Certificate[]): number =>
  certificates.length === 0 ? 0 : Math.min(...certificates.map(({ expiresAtMs }) => expiresAtMs)) / 1_000;

/** `refused`: why changed files are not in use; empty = they are. */
export function certificateStanding(certificates: readonly Certificate[], refused: string, nowMs: number): Standing {
  if (refused !== '') return { state: 'degraded', detail: `changed files are not in use: ${refused}` };
  const [ending, ...more] = endings(certificates, nowMs);
  if (ending === undefined) return { state: 'ok' };
  const day = new Date(ending.expiresAtMs).toISOString().slice(0, 10);
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return { state: 'degraded', detail: `${ending.name} ${ending.isOver ? 'expired' : 'expires'} on ${day}${others}` };
}
