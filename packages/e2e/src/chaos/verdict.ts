/**
 * The checker: every accepted number arrived, and nothing arrived twice but in the three ways that cannot be avoided (design.md, invariant 3): the
 * client repeated it (its 250 was lost, or it was told 451 after a publish that was stored), or the same queue id came twice (the next hop's 250 was lost
 * before the outcome).
 */
import type { Arrivals } from './arrivals.js';
import type { LoadResult } from './load.js';

export interface Verdict {
  readonly accepted: number;
  readonly lost: readonly number[];
  /** Arrived under several queue ids after the client had repeated it. */
  readonly repeatedByClient: number;
  /** The same queue id arrived more than once. */
  readonly repeatedByDelivery: number;
  /** Several queue ids although the client sent it once: never allowed. */
  readonly unexplained: readonly number[];
  readonly refused: readonly string[];
}

export function judge(load: LoadResult, arrivals: Pick<Arrivals, 'byNumber'>): Verdict {
  const lost = [...load.accepted.keys()].filter((number) => !arrivals.byNumber.has(number));
  let repeatedByClient = 0;
  let repeatedByDelivery = 0;
  const unexplained: number[] = [];
  for (const [number, queueIds] of arrivals.byNumber) {
    const different = new Set(queueIds).size;
    repeatedByDelivery += queueIds.length - different;
    if (different === 1) continue;
    if (load.repeated.has(number)) repeatedByClient += different - 1;
    else unexplained.push(number);
  }
  return {
    accepted: load.accepted.size,
    lost,
    repeatedByClient,
    repeatedByDelivery,
    unexplained,
    refused: load.refused,
  };
}

export function describe(verdict: Verdict): string {
  return [
    `accepted ${verdict.accepted}`,
    `lost ${verdict.lost.length}${verdict.lost.length > 0 ? ` (${verdict.lost.slice(0, 20).join(', ')})` : ''}`,
    `duplicates: repeated by the client ${verdict.repeatedByClient}, next hop's 250 lost ${verdict.repeatedByDelivery}, unexplained ${verdict.unexplained.length}`,
    `refused with 5xx ${verdict.refused.length}${verdict.refused.length > 0 ? ` (${verdict.refused.slice(0, 3).join('; ')})` : ''}`,
  ].join('\n');
}
