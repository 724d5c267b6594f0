/**
 * Removes from SPOOL and WORK what was worked on and is still there: after kill -9 a NATS server may know an acknowledgement and not the removal, and
 * then neither delivers the message again nor drops it. The proof is in the tables, not in the consumer: a SPOOL message whose acceptance is recorded, an
 * item whose attempt has an outcome for every recipient. What has no proof is left alone; JetStream delivers it, or the next round finds the proof.
 */
import type { Clock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import type { LeftoverReader, StoredMessage } from '@postern/stream';
import type { Database, Statement, Transaction } from './store/database.js';

export interface LeftoverParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly database: Database;
  readonly reader: LeftoverReader;
  readonly onRemoved: (stream: 'SPOOL' | 'WORK', count: number) => void;
}

/** Far beyond AckWait: whatever is younger may simply be in work. */
const minimumAgeMs = 60_000;
const perRound = 200;

const unitsOf: Statement = {
  name: 'leftovers-units',
  text: 'SELECT queue_id, recipient, state, attempts FROM mail.recipients WHERE queue_id = ANY($1::text[])',
};

type Unit = {
  readonly queue_id: string;
  readonly recipient: string;
  readonly state: string;
  readonly attempts: number;
};

/** What a message is about; undefined = unreadable, which the consumers park. */
interface Subject {
  readonly message: StoredMessage;
  readonly queueId: string;
  readonly isDone: (units: readonly Unit[]) => boolean;
}

function spoolSubject(message: StoredMessage): Subject | undefined {
  try {
    const { queueId, forwardPaths } = Envelope.decode(message.data);
    const isDone = (units: readonly Unit[]): boolean => {
      const known = new Set(units.map(({ recipient }) => recipient));
      return forwardPaths.every(({ address }) => known.has(address));
    };
    return { message, queueId, isDone };
  } catch {
    return undefined;
  }
}

function workSubject(message: StoredMessage): Subject | undefined {
  try {
    const { queueId, attempt, recipients } = Item.decode(message.data);
    const isDone = (units: readonly Unit[]): boolean =>
      recipients.every(({ address }) =>
        units.some(
          ({ recipient, state, attempts }) => recipient === address && (state !== 'open' || attempts >= attempt),
        ),
      );
    return { message, queueId, isDone };
  } catch {
    return undefined;
  }
}

async function unitsByQueueId(transaction: Transaction, queueIds: readonly string[]): Promise<Map<string, Unit[]>> {
  const rows = await transaction.query<Unit>(unitsOf, [queueIds]);
  return Map.groupBy(rows, ({ queue_id }) => queue_id);
}

export function createLeftoverRound(parts: LeftoverParts): () => Promise<boolean> {
  const { clock, database, reader } = parts;
  const clean = async (
    stream: 'SPOOL' | 'WORK',
    read: (message: StoredMessage) => Subject | undefined,
  ): Promise<void> => {
    const old = await reader.oldest(stream, clock.now() - minimumAgeMs, perRound);
    const subjects = old.map(read).filter((subject) => subject !== undefined);
    if (subjects.length === 0) return;
    const ids = [...new Set(subjects.map(({ queueId }) => queueId))];
    const units = await database.service((transaction) => unitsByQueueId(transaction, ids));
    const done = subjects.filter(({ queueId, isDone }) => isDone(units.get(queueId) ?? []));
    for (const { message } of done) await reader.remove(stream, message.sequence);
    if (done.length > 0) parts.onRemoved(stream, done.length);
  };
  return async () => {
    await clean('SPOOL', spoolSubject);
    await clean('WORK', workSubject);
    return false;
  };
}
