/**
 * The checker: every accepted number arrived, and nothing arrived twice but in the three ways that cannot be avoided (design.md, invariant 3): the
 * client repeated it (its 250 was lost, or it was told 451 after a publish that was stored), or the same queue id came twice (the next hop's 250 was lost
 * before the outcome). The last needs somebody between next hop and outcome to have been struck about the time of the delivery that was forgotten.
 */
import type { Arrival, Arrivals } from './arrivals.js';
import { type LoadResult, numberOf } from './load.js';
import type { Strike } from './nemesis.js';

/** Who can lose a next hop's 250: who heard it, and who keeps the outcome. */
const keepers: ReadonlySet<string> = new Set(['delivery', 'nats']);
/** An outcome is gathered, published and acknowledged within this time of its delivery. */
const outcomeMs = 5_000;
/** Clocks of the next hop and the nemesis are one; between a strike's log line and the signal there is little. */
const slackMs = 500;

export interface Verdict {
  readonly accepted: number;
  readonly lost: readonly string[];
  /** Arrived under several queue ids after the client had repeated it. */
  readonly repeatedByClient: number;
  /** The same queue id arrived more than once. */
  readonly repeatedByDelivery: number;
  /** Several queue ids although the client sent it once, or delivered again with nobody struck: never allowed. */
  readonly unexplained: readonly string[];
  readonly refused: readonly string[];
}

/** Was somebody struck before the outcome of this delivery was safe? */
const forgotten = (arrival: Arrival, strikes: readonly Strike[]): boolean =>
  strikes.some(
    ({ target, fromMs, toMs }) =>
      keepers.has(target) && arrival.atMs >= fromMs - outcomeMs && arrival.atMs <= toMs + slackMs,
  );

/** Deliveries of one queue id that were followed by another, though nothing had happened to them. */
function needless(arrivals: readonly Arrival[], strikes: readonly Strike[]): number {
  return arrivals.filter(
    (arrival, index) =>
      arrivals.slice(index + 1).some(({ queueId }) => queueId === arrival.queueId) && !forgotten(arrival, strikes),
  ).length;
}

export function judge(load: LoadResult, arrivals: Pick<Arrivals, 'byKey'>, strikes: readonly Strike[] = []): Verdict {
  const lost = [...load.accepted].filter((key) => !arrivals.byKey.has(key));
  let repeatedByClient = 0;
  let repeatedByDelivery = 0;
  const unexplained: string[] = [];
  for (const [key, came] of arrivals.byKey) {
    const different = new Set(came.map(({ queueId }) => queueId)).size;
    repeatedByDelivery += came.length - different;
    if (needless(came, strikes) > 0) unexplained.push(key);
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
    `duplicates: repeated by the client ${verdict.repeatedByClient}, next hop's 250 lost ${verdict.repeatedByDelivery}, unexplained ${verdict.unexplained.length}${verdict.unexplained.length > 0 ? ` (${verdict.unexplained.slice(0, 20).join(', ')})` : ''}`,
    `refused with 5xx ${verdict.refused.length}${verdict.refused.length > 0 ? ` (${verdict.refused.slice(0, 3).join('; ')})` : ''}`,
  ].join('\n');
}
