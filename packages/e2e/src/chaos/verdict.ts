/**
 * The checker: every accepted number arrived, and nothing arrived twice but in the three ways that cannot be avoided (design.md, invariant 3): the
 * client repeated it (its 250 was lost, or it was told 451 after a publish that was stored), or the same queue id came twice (the next hop's 250 was lost
 * before the outcome).
 */
import type { Arrivals } from './arrivals.js';
import { type LoadResult, numberOf } from './load.js';

export interface Verdict {
  readonly accepted: number;
  readonly lost: readonly string[];
  /** Arrived under several queue ids after the client had repeated it. */
  readonly repeatedByClient: number;
  /** The same queue id arrived more than once. */
  readonly repeatedByDelivery: number;
  /** Several queue ids although the client sent it once: never allowed. */
  readonly unexplained: readonly string[];
  readonly refused: readonly string[];
}

export function judge(load: LoadResult, arrivals: Pick<Arrivals, 'byKey'>): Verdict {
  const lost = [...load.accepted].filter((key) => !arrivals.byKey.has(key));
  let repeatedByClient = 0;
  let repeatedByDelivery = 0;
  const unexplained: string[] = [];
  for (const [key, queueIds] of arrivals.byKey) {
    const different = new Set(queueIds).size;
    repeatedByDelivery += queueIds.length - different;
    if (different === 1) continue;
    if (load.repeated.has(numberOf(key))) repeatedByClient += different - 1;
    else unexplained.push(key);
  }
  return {
    accepted: load.acceptedMessages,
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
