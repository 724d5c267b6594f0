/**
 * The autonomous system of an address from the MMDB file the operator names; which one may change while the pod runs. Without a file, or where it
 * says nothing, the number is 0: no system has it (RFC 7607).
 */
import type { Clock } from '@postern/clock';
import { unmapAddress } from '@postern/dns';
import { type MmdbFile, openMmdbFile } from './mmdb-file.js';

export interface AsnLookup {
  of(address: string): number;
}

export interface AsnDatabase extends AsnLookup {
  /** Empty = none. */
  use(file: string): void;
  stop(): void;
}

export interface AsnDatabaseOptions {
  readonly clock: Clock;
  readonly pollMs?: number;
  readonly onLoaded: (file: string, nodes: number) => void;
  readonly onRefused: (file: string, reason: string) => void;
}

/** The databases in use write it as `autonomous_system_number` or `asn`, the latter also as text with AS in front. */
export function asnOf(entry: unknown): number {
  if (typeof entry !== 'object' || entry === null) return 0;
  const written = 'autonomous_system_number' in entry ? entry.autonomous_system_number : 'asn' in entry ? entry.asn : 0;
  const number = typeof written === 'string' ? Number(written.replace(/^AS/i, '')) : written;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 2 ** 32 ? number : 0;
}

export function createAsnDatabase({ clock, pollMs, onLoaded, onRefused }: AsnDatabaseOptions): AsnDatabase {
  let file: MmdbFile | undefined;
  let name = '';
  return {
    of: (address) => (file === undefined ? 0 : asnOf(file.get(unmapAddress(address)))),
    use(wanted) {
      if (wanted === name) return;
      name = wanted;
      file?.stop();
      file = undefined;
      if (wanted === '') return;
      file = openMmdbFile({
        file: wanted,
        clock,
        ...(pollMs === undefined ? {} : { pollMs }),
        onLoaded: (nodes) => onLoaded(wanted, nodes),
        onRefused: (reason) => onRefused(wanted, reason),
      });
    },
    stop() {
      file?.stop();
    },
  };
}
