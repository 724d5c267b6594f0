/**
 * Limits of the streams on a disk too small for the declared ones: all smaller in one measure, so that a full stream answers (452) before a full disk does,
 * which nats-server does not survive unharmed (packages/stream/src/store-guard.ts). What the streams hold already counts as room.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type StreamName, streamDeclarations } from '@postern/stream';

/** Mebibytes. */
export type StreamLimits = Readonly<Partial<Record<StreamName, number>>>;

/** Of the room; the rest is for logs, tables and the mailbox. */
const share = 0.7;
const MiB = 1_048_576;

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Mebibytes by stream where `room` bytes hold less than what is declared; empty = the declared limits stand. */
export function limitsWithin(room: number): StreamLimits {
  const declared = streamDeclarations.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
  const part = (room * share) / declared;
  if (part >= 1) return {};
  return Object.fromEntries(
    streamDeclarations.map(({ name, maxBytes }) => [name, Math.max(1, Math.floor((maxBytes * part) / MiB))]),
  );
}

/** For streams kept in `folder`, which exists. */
export async function streamLimitsOn(folder: string): Promise<StreamLimits> {
  const { bavail, bsize } = await statfs(folder);
  return limitsWithin(bavail * bsize + (await bytesIn(folder)));
}
