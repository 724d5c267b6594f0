/**
 * What WORK carries now, for the ledger: the units of its items, read message by message without consuming. Bounded: a fuller stream is not read
 * and the count is then said to be inexact. Independent of what the tables say.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { Item } from '@postern/proto/mail/v1/item';
import type { StreamConnection } from '@postern/stream';

export interface CarriedUnit {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
}

export type WorkScan = { readonly exact: true; readonly units: readonly CarriedUnit[] } | { readonly exact: false };

/** `limit` messages at most. */
export type WorkScanner = (limit: number) => Promise<WorkScan>;

export async function createWorkScanner(connection: StreamConnection): Promise<WorkScanner> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  return async (limit) => {
    const { state } = await manager.streams.info('WORK');
    if (state.messages > limit) return { exact: false };
    const units: CarriedUnit[] = [];
    let sequence = state.first_seq;
    for (let read = 0; read < state.messages && sequence <= state.last_seq; read++) {
      const message = await manager.direct
        .getMessage('WORK', { seq: sequence, next_by_subj: 'work.>' })
        .catch(() => null);
      if (message === null || message.seq > state.last_seq) break;
      for (const unit of unitsOf(message.data)) units.push(unit);
      sequence = message.seq + 1;
    }
    return { exact: true, units };
  };
}

function unitsOf(data: Uint8Array): CarriedUnit[] {
  try {
    const { queueId, tenant, recipients } = Item.decode(data);
    return recipients.map(({ address }) => ({ queueId, recipient: address, tenant }));
  } catch {
    return [];
  }
}
