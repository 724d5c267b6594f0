/**
 * Reads and removes single messages of a work queue by sequence, past its consumer. For what a server killed in the middle leaves behind: it may come back
 * with an acknowledgement on disk but without the removal that belongs to it, and such a message is never delivered again and never leaves.
 * Removing is only right when somebody can show that the message was worked on.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import type { StreamConnection } from './connection.js';
import type { StreamName } from './streams.js';

export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly storedAtMs: number;
}

export interface LeftoverReader {
  /** The oldest messages stored before `beforeMs`, in order, at most `limit`, from a sequence on. */
  oldest(stream: StreamName, beforeMs: number, limit: number, from?: number): Promise<StoredMessage[]>;
  remove(stream: StreamName, sequence: number): Promise<void>;
}

export async function createLeftoverReader(connection: StreamConnection): Promise<LeftoverReader> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  return {
    async oldest(stream, beforeMs, limit, from = 0) {
      const found: StoredMessage[] = [];
      const { state } = await manager.streams.info(stream);
      let sequence = Math.max(state.first_seq, from);
      while (found.length < limit && state.messages > 0 && sequence <= state.last_seq) {
        const message = await manager.direct.getMessage(stream, { seq: sequence, next_by_subj: '>' });
        const storedAtMs = message?.time.getTime() ?? Number.POSITIVE_INFINITY;
        if (message === null || storedAtMs >= beforeMs) break;
        found.push({ sequence: message.seq, subject: message.subject, data: message.data, storedAtMs });
        sequence = message.seq + 1;
      }
      return found;
    },
    async remove(stream, sequence) {
      await manager.streams.deleteMessage(stream, sequence, false);
    },
  };
}
