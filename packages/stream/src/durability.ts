/**
 * What the streams really guarantee (design.md, invariant 1): replicas, storage, discard and limits are read from the stream, `sync_always`
 * from every server's monitoring endpoint, since STREAM.INFO does not carry it. What cannot be read is `unknown`, never assumed.
 */
import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import type { StreamConnection } from './connection.js';
import { type StreamName, streamDeclarations } from './streams.js';

export type SyncMode = 'always' | 'interval' | 'unknown';

export interface StreamReport {
  readonly name: StreamName;
  readonly replicas: number;
  readonly replicasCurrent: number;
  readonly storage: 'file' | 'memory';
  readonly discard: string;
  readonly messages: number;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly sync: SyncMode;
}

async function syncOfServer(monitorUrl: string): Promise<SyncMode> {
  try {
    const response = await fetch(new URL('/jsz?config=true', monitorUrl), { signal: AbortSignal.timeout(2_000) });
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null || !('config' in body)) return 'unknown';
    const { config } = body;
    if (typeof config !== 'object' || config === null) return 'unknown';
    return 'sync_always' in config && config.sync_always === true ? 'always' : 'interval';
  } catch {
    return 'unknown';
  }
}

/** Weakest answer of all servers; no monitor configured = unknown. */
export async function readSyncMode(monitorUrls: readonly string[]): Promise<SyncMode> {
  if (monitorUrls.length === 0) return 'unknown';
  const modes = await Promise.all(monitorUrls.map(syncOfServer));
  if (modes.includes('unknown')) return 'unknown';
  return modes.includes('interval') ? 'interval' : 'always';
}

/** One report per stream; throws when the servers cannot be asked. */
export async function readDurability(
  connection: StreamConnection,
  monitorUrls: readonly string[],
): Promise<StreamReport[]> {
  const sync = await readSyncMode(monitorUrls);
  const manager = await jetstreamManager(connection.nats, { checkAPI: false });
  return Promise.all(
    streamDeclarations.map(async ({ name }) => {
      const { config, state, cluster } = await manager.streams.info(name);
      const current = (cluster?.replicas ?? []).filter((replica) => replica.current).length + 1;
      return {
        name,
        replicas: config.num_replicas,
        replicasCurrent: current,
        storage: config.storage === StorageType.File ? ('file' as const) : ('memory' as const),
        discard: String(config.discard),
        messages: state.messages,
        bytes: state.bytes,
        maxBytes: config.max_bytes,
        sync,
      };
    }),
  );
}
