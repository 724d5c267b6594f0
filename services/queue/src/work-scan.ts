/**
 * What WORK carries now, and items of it that are parked, for the ledger: their units, read message by message without consuming. Bounded: a fuller stream
 * is not read and the count is then said to be inexact. Any replica answers: one that lags puts the count off by what is on its way, as does everything in flight.
 * Independent of what the tables say.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { Item } from '@postern/proto/mail/v1/item';
import {
  isBackSubject,
  parkedSubject,
  type StoredMessage,
  type StreamConnection,
  stored,
  workItems,
} from '@postern/stream';

export interface CarriedUnit {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
  /** `parked`: it waits for an operator. */
  readonly carrier: 'work' | 'parked';
}

export type WorkScan =
  | {
      readonly exact: true;
      readonly units: readonly CarriedUnit[];
      /** Messages that were left to come back (ADR 14): their mails are on the way to SPOOL again. */
      readonly left: number;
    }
  | { readonly exact: false };

/** `limit` messages of each stream at most. Rejects when a message cannot be read: what lies behind it is not known. */
export type WorkScanner = (limit: number) => Promise<WorkScan>;

const sources = [
  { stream: 'WORK', subject: 'work.>', carrier: 'work' },
  { stream: 'PARKED', subject: parkedSubject('WORK'), carrier: 'parked' },
] as const;

export async function createWorkScanner(connection: StreamConnection): Promise<WorkScanner> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  return async (limit) => {
    const units: CarriedUnit[] = [];
    let left = 0;
    for (const { stream, subject, carrier } of sources) {
      const { state } = await manager.streams.info(stream);
      if (state.messages > limit) return { exact: false };
      let sequence = state.first_seq;
      for (let read = 0; read < state.messages && sequence <= state.last_seq; read++) {
        const message = await manager.direct.getMessage(stream, { seq: sequence, next_by_subj: subject });
        if (message === null || message.seq > state.last_seq) break;
        if (isBackSubject(message.subject)) left++;
        for (const unit of unitsOf(stored(message), carrier)) units.push(unit);
        sequence = message.seq + 1;
      }
    }
    return { exact: true, units, left };
  };
}

/** What was left to come back (ADR 14) is no item yet: it counts like what SPOOL carries. */
function unitsOf(message: StoredMessage, carrier: CarriedUnit['carrier']): CarriedUnit[] {
  if (isBackSubject(message.subject)) return [];
  return workItems(message).flatMap((data) => unitsOfItem(data, carrier));
}

function unitsOfItem(data: Uint8Array, carrier: CarriedUnit['carrier']): CarriedUnit[] {
  try {
    const { queueId, tenant, recipients } = Item.decode(data);
    return recipients.map(({ address }) => ({ queueId, recipient: address, tenant, carrier }));
  } catch {
    return [];
  }
}
