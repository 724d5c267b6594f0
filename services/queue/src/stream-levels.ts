/** How much the streams hold now: for the windows, the ledger and the sweep. Read from STREAM.INFO; one request per stream, never on the path of a message. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { StreamConnection, StreamName } from '@postern/stream';

export interface StreamLevel {
  readonly messages: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** When the oldest message was stored; Infinity when there is none. */
  readonly oldestMs: number;
}

export type LevelReader = (stream: StreamName) => Promise<StreamLevel>;

export async function createLevelReader(connection: StreamConnection): Promise<LevelReader> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  return async (stream) => {
    const { state } = await manager.streams.info(stream);
    return {
      messages: state.messages,
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      oldestMs: state.messages === 0 ? Number.POSITIVE_INFINITY : new Date(state.first_ts).getTime(),
    };
  };
}
