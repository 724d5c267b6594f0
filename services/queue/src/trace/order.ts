/**
 * Steps in the order they happened. Services have a clock each and a millisecond holds many steps: of those at the same time the edge's come first, then
 * what an operator or a rule decided, then what became of the recipient, then the report about it; of one kind as they were recorded.
 */
import type { TraceEvent } from '@postern/proto/mail/v1/trace';

const ranks: readonly (readonly [RegExp, number])[] = [
  [/^edge\./, 0],
  [/^queue\.message\./, 1],
  [/^queue\.recipient\.operated$/, 2],
  [/^queue\.rule\./, 3],
  [/^queue\.notice\./, 5],
];

const rankOf = ({ event }: TraceEvent): number => ranks.find(([pattern]) => pattern.test(event))?.[1] ?? 4;

/** A step that was told twice (a redelivered batch) is there once. */
export function inOrder(steps: readonly TraceEvent[]): TraceEvent[] {
  const seen = new Set<string>();
  return steps
    .filter((step) => {
      const key = JSON.stringify(step);
      return seen.has(key) ? false : seen.add(key) !== undefined;
    })
    .map((step) => ({ step, rank: rankOf(step) }))
    .sort((a, b) => a.step.atMs - b.step.atMs || a.rank - b.rank)
    .map(({ step }) => step);
}

const stored = 'edge.message.accepted';

/**
 * The acceptance among the other steps of its message. The edge tells that a message is stored when it hears so, which may be after queue has begun with
 * it: it is shown as not later than that.
 */
export function withAcceptance(accepted: TraceEvent, others: readonly TraceEvent[]): TraceEvent[] {
  const begun = Math.min(...others.filter(({ event }) => !event.startsWith('edge.')).map(({ atMs }) => atMs));
  const latest = Math.max(accepted.atMs, begun);
  const told = others.map((step) => (step.event === stored && step.atMs > latest ? { ...step, atMs: latest } : step));
  const storedAt = told.find(({ event }) => event === stored)?.atMs ?? accepted.atMs;
  return [{ ...accepted, atMs: Math.max(accepted.atMs, storedAt) }, ...told];
}
