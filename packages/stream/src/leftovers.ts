/**
 * Reads and removes single messages of a work queue by sequence, past its consumer. For what a server killed in the middle leaves behind, in two ways seen
 * with 2.10: an acknowledgement is on disk but not the removal that belongs to it; or the stream forgot sequences it had given and removed, gives them to new
 * messages, and the consumer, which remembers them as acknowledged, never delivers those. Either way a message at or below the consumer's
 * acknowledgement floor that is still in the stream will never be delivered.
 */
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import type { StreamConnection } from './connection.js';
import type { StreamName } from './streams.js';

/** err_code of a message that is not there. */
const noSuchMessage = 10057;

export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly storedAtMs: number;
  /** Empty = not there. */
  header(name: string): string;
}

export interface LeftoverReader {
  /**
   * The oldest messages stored before `beforeMs`, in order, at most `limit`, from a sequence on. Any replica answers, and may lag: whoever asks looks again, and
   * working once more on what is gone changes nothing.
   */
  oldest(stream: StreamName, beforeMs: number, limit: number, from?: number): Promise<StoredMessage[]>;
  /** The message of this sequence, if it is still there, as the leader of the stream has it. */
  at(stream: StreamName, sequence: number): Promise<StoredMessage | undefined>;
  /** Gone already is fine. */
  remove(stream: StreamName, sequence: number): Promise<void>;
  /** Sequence up to which the consumer counts everything as acknowledged; 0 = nothing, or no such consumer. */
  acknowledgedUpTo(stream: StreamName, durable: string): Promise<number>;
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
        if (message === null || message.time.getTime() >= beforeMs) break;
        found.push(stored(message));
        sequence = message.seq + 1;
      }
      return found;
    },
    async at(stream, sequence) {
      const message = await manager.streams.getMessage(stream, { seq: sequence });
      return message === null ? undefined : stored(message);
    },
    async remove(stream, sequence) {
      try {
        await manager.streams.deleteMessage(stream, sequence, false);
      } catch (error) {
        if (!(error instanceof JetStreamApiError) || error.code !== noSuchMessage) throw error;
      }
    },
    async acknowledgedUpTo(stream, durable) {
      try {
        return (await manager.consumers.info(stream, durable)).ack_floor.stream_seq;
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound) return 0;
        throw error;
      }
    },
  };
}

export const stored = (message: StoredMsg): StoredMessage => ({
  sequence: message.seq,
  subject: message.subject,
  data: message.data,
  storedAtMs: message.time.getTime(),
  header: (name) => message.header?.get(name) ?? '',
});
