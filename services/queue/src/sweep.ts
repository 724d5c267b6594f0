/**
 * Bodies that nothing names, found in three ways, bounded and resumed where they stopped. (a) Rows of `mail.bodies` whose message has ended: left by
 * a crash between removal steps. (b) Unfinished bodies older than `unfinishedMs`: SPOOL is only told of finished ones. (c) Finished bodies that no
 * row and no open unit names. Since a database that lost rows looks the same, and rows are rebuilt from BODIES, (c) waits `unknownMs`, longer than
 * any mail lives, and takes two looks: SPOOL holds nothing as old as the body, and OUTCOMES has since moved past all it held then. What a parked
 * message names stays as long as it is parked.
 */
import type { BodyStore } from '@postern/body-store';
import { type Clock, ulidTime } from '@postern/clock';
import { removeBodies } from './body-removal.js';
import type { Database } from './store/database.js';
import { forgetBodies, namedBodies, pageBodies } from './store/outbox.js';
import type { LevelReader } from './stream-levels.js';

export interface SweepParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly bodies: BodyStore;
  readonly levels: LevelReader;
  /** Bodies that parked messages name; undefined = more than can be looked through. */
  readonly parkedBodies: () => Promise<ReadonlySet<string> | undefined>;
  readonly unfinishedMs: number;
  readonly unknownMs: number;
  readonly onRemoved: (count: number) => void;
}

interface Suspects {
  readonly bodyIds: readonly string[];
  /** OUTCOMES held nothing above this sequence when they were suspected. */
  readonly outcomesUpTo: number;
}

const page = 1_000;
const pagesPerRound = 20;
const suspectsAtOnce = 500;
/** A SPOOL message is stored within a minute of its body; ten allow for clocks that differ. */
const spoolMarginMs = 600_000;

export function createSweep(parts: SweepParts): () => Promise<boolean> {
  let after = '';
  let suspects: Suspects | undefined;

  const remove = async (ids: readonly string[]): Promise<void> => {
    if (ids.length === 0) return;
    await removeBodies(parts.bodies, ids);
    parts.onRemoved(ids.length);
  };
  const sweepRows = async (): Promise<boolean> => {
    for (let pages = 0; pages < pagesPerRound; pages++) {
      const from = after;
      const rows = await parts.database.service((transaction) => pageBodies(transaction, from, page));
      const free = rows.filter((row) => row.free).map(({ bodyId }) => bodyId);
      await remove(free);
      if (free.length > 0) await parts.database.service((transaction) => forgetBodies(transaction, free));
      after = rows.length < page ? '' : (rows.at(-1)?.bodyId ?? '');
      if (after === '') return false;
    }
    return true;
  };
  const unnamed = async (ids: readonly string[]): Promise<string[]> => {
    if (ids.length === 0) return [];
    const named = await parts.database.service((transaction) => namedBodies(transaction, ids));
    const left = ids.filter((id) => !named.has(id));
    if (left.length === 0) return left;
    const parked = await parts.parkedBodies();
    return parked === undefined ? [] : left.filter((id) => !parked.has(id));
  };
  const storedBefore = async (ids: readonly string[], beforeMs: number): Promise<string[]> => {
    const old: string[] = [];
    for (const bodyId of ids) {
      const facts = await parts.bodies.stat(bodyId);
      if (facts !== undefined && facts.storedAtMs < beforeMs) old.push(bodyId);
    }
    return old;
  };
  /** Unfinished and old enough by their id, and finished and old enough by their id: the rest needs no look. */
  const listOld = async (): Promise<{ readonly unfinished: string[]; readonly finished: string[] }> => {
    const now = parts.clock.now();
    const unfinished: string[] = [];
    const finished: string[] = [];
    for await (const body of parts.bodies.list()) {
      const age = now - (ulidTime(body.bodyId) ?? now);
      if (!body.finished && age > parts.unfinishedMs && unfinished.length < suspectsAtOnce)
        unfinished.push(body.bodyId);
      if (body.finished && age > parts.unknownMs && finished.length < page) finished.push(body.bodyId);
    }
    return { unfinished, finished };
  };
  const suspect = async (finished: readonly string[]): Promise<Suspects | undefined> => {
    const { oldestMs } = await parts.levels('SPOOL');
    const beforeMs = Math.min(parts.clock.now() - parts.unknownMs, oldestMs - spoolMarginMs);
    const bodyIds = await storedBefore((await unnamed(finished)).slice(0, suspectsAtOnce), beforeMs);
    if (bodyIds.length === 0) return undefined;
    return { bodyIds, outcomesUpTo: (await parts.levels('OUTCOMES')).lastSequence };
  };
  /** False: OUTCOMES has not moved past yet. */
  const convict = async ({ bodyIds, outcomesUpTo }: Suspects): Promise<boolean> => {
    const outcomes = await parts.levels('OUTCOMES');
    if (outcomes.messages > 0 && outcomes.firstSequence <= outcomesUpTo) return false;
    await remove(await storedBefore(await unnamed(bodyIds), parts.clock.now() - parts.unknownMs));
    return true;
  };
  return async () => {
    const more = await sweepRows();
    const { unfinished, finished } = await listOld();
    await remove(await unnamed(unfinished));
    if (suspects === undefined) suspects = await suspect(finished);
    else if (await convict(suspects)) suspects = undefined;
    return more;
  };
}
