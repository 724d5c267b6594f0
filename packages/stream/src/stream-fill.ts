/** How full a stream is, by what binds first: its bytes or its messages. One request, never on the path of a message. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { StreamConnection } from './connection.js';
import { type StreamName, streamDeclarations } from './streams.js';

/** Share of its limit in use, 0 to 1; a stream without limits is never full. */
export type FillReader = (stream: StreamName) => Promise<number>;

export async function createFillReader(connection: StreamConnection): Promise<FillReader> {
  const manager = await jetstreamManager(connection.nats, { checkAPI: false, timeout: 2_000 });
  const { guard } = connection;
  return async (stream) => {
    const subject = streamDeclarations.find(({ name }) => name === stream)?.subjects[0] ?? stream;
    const above = guard.place(subject);
    const { config, state } = await manager.streams.info(stream);
    // So that a pod whose own messages were stored learns of another's that could not be.
    guard.isInPlace(subject, state.last_seq, above);
    const share = (used: number, limit: number): number => (limit > 0 ? used / limit : 0);
    return Math.max(share(state.bytes, config.max_bytes), share(state.messages, config.max_msgs));
  };
}
