/**
 * The stream PARKED, read message by message past any consumer. One operation at a time on one message, over all pods: an advisory lock of the
 * transaction it works in. Limits: a page reads at most `mostPerLook` messages, so that a tenant's call cannot read the whole stream at once.
 */
import { PosternError } from '@postern/errors';
import { everyTenant } from '@postern/grpc';
import type { LeftoverReader } from '@postern/stream';
import type { Database, Statement, Transaction } from '../store/database.js';
import { bodiesOf, isVisible, type Parked, readParked, sequenceOf } from './message.js';

export interface Shelf {
  /** From a sequence on; `next` = where to go on, 0 = the end. */
  page(
    scope: string,
    from: number,
    limit: number,
  ): Promise<{ readonly found: readonly Parked[]; readonly next: number }>;
  /** Throws `not-found` when it is not there, or not for this scope. */
  find(scope: string, id: string): Promise<Parked>;
  /** The same, locked until `work` has ended. */
  alone<T>(scope: string, id: string, work: (transaction: Transaction, parked: Parked) => Promise<T>): Promise<T>;
  remove(parked: Parked): Promise<void>;
  /** Bodies that what is parked needs; undefined = more is parked than one look reads. */
  bodies(): Promise<ReadonlySet<string> | undefined>;
}

const mostPerLook = 1_000;
const lock: Statement = {
  name: 'parked-lock',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('parked ' || $1::text, 0))`,
};

/** NATS away is said by its name. */
async function readable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new PosternError('store-unavailable', 'the stream PARKED does not answer', { cause });
  }
}

export function createShelf(reader: LeftoverReader, database: Database): Shelf {
  const mayRead = (scope: string, parked: Parked): boolean =>
    isVisible(parked, (tenant) => tenant === scope, scope === everyTenant);
  const find = async (scope: string, id: string): Promise<Parked> => {
    const sequence = sequenceOf(id);
    if (sequence === undefined) throw new PosternError('invalid-argument', 'id: not the id of a parked message');
    const message = await readable(reader.at('PARKED', sequence));
    const parked = message === undefined ? undefined : readParked(message);
    if (parked === undefined || parked.id !== id || !mayRead(scope, parked))
      throw new PosternError('not-found', 'nothing parked has this id: it may have been retried or dropped');
    return parked;
  };
  const page: Shelf['page'] = async (scope, from, limit) => {
    const messages = await readable(reader.oldest('PARKED', Number.POSITIVE_INFINITY, mostPerLook, from));
    const found: Parked[] = [];
    for (const message of messages) {
      if (found.length === limit) return { found, next: message.sequence };
      const parked = readParked(message);
      if (mayRead(scope, parked)) found.push(parked);
    }
    const last = messages.at(-1);
    return { found, next: last === undefined || messages.length < mostPerLook ? 0 : last.sequence + 1 };
  };
  return {
    find,
    page,
    async bodies() {
      const { found, next } = await page(everyTenant, 0, mostPerLook);
      return next === 0 ? new Set(found.flatMap(({ content }) => bodiesOf(content))) : undefined;
    },
    alone: (scope, id, work) =>
      database.service(async (transaction) => {
        await transaction.query(lock, [id]);
        return work(transaction, await find(scope, id));
      }),
    remove: ({ sequence }) => readable(reader.remove('PARKED', sequence)),
  };
}
