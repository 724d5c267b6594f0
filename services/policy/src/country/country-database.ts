/**
 * The country of an address from an MMDB file, loaded again when the file changes; while a new one cannot be read the old one stays. Without a
 * file nobody has a country. Reserved, private and documentation ranges are never a country, whatever a database says.
 */
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Timer } from '@postern/clock';
import { parseCidr } from '@postern/config';
import { unmapAddress } from '@postern/dns';
import { Reader } from 'mmdb-lib';
import { networkSet } from '../network-set.js';

export interface CountryLookup {
  /** Two capital letters; '' = in no country, undefined = there is no database. */
  of(address: string): string | undefined;
}

export interface CountryDatabase extends CountryLookup {
  stop(): void;
}

export interface CountryDatabaseOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly pollMs?: number;
  readonly onLoaded: (entries: number) => void;
  readonly onRefused: (reason: string) => void;
}

const reserved = networkSet(
  [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
    ...[
      '192.0.2.0/24',
      '192.168.0.0/16',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '224.0.0.0/4',
      '240.0.0.0/4',
    ],
    ...['::/8', '64:ff9b:1::/48', '100::/64', '2001:db8::/32', '3fff::/20', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
  ].flatMap((text) => parseCidr(text) ?? []),
);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** The databases in use write it as `country_code`, `country.iso_code` or `country`. */
export function countryCode(entry: unknown): string {
  if (!isObject(entry)) return '';
  const country = entry.country_code ?? (isObject(entry.country) ? entry.country.iso_code : entry.country);
  return typeof country === 'string' && /^[A-Za-z]{2}$/.test(country) ? country.toUpperCase() : '';
}

export async function openCountryDatabase(options: CountryDatabaseOptions): Promise<CountryDatabase> {
  const { file, clock, pollMs = 5_000, onLoaded, onRefused } = options;
  let reader: Reader<never> | undefined;
  let mark = '';
  let timer: Timer | undefined;
  let stopped = false;

  const load = async (): Promise<void> => {
    const { ino, size, mtimeMs } = await stat(file);
    const now = `${ino}:${size}:${mtimeMs}`;
    if (now === mark) return;
    mark = now;
    const next = new Reader<never>(await readFile(file));
    next.get('192.0.2.1');
    reader = next;
    onLoaded(next.metadata.nodeCount);
  };
  const poll = async (): Promise<void> => {
    await load().catch((error: unknown) => onRefused(error instanceof Error ? error.message : 'unreadable'));
    if (!stopped) timer = clock.setTimer(pollMs, () => void poll(), { unref: true });
  };
  await poll();
  return {
    of(address) {
      if (reserved.has(address)) return '';
      if (reader === undefined) return undefined;
      try {
        return countryCode(reader.get(unmapAddress(address)));
      } catch {
        return '';
      }
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
