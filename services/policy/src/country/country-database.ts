/**
 * The country of an address from an MMDB file, loaded again when the file changes; while a new one cannot be read the old one stays. Without a
 * file nobody has a country. Reserved, private and documentation ranges are never a country, whatever a database says.
 */
import { parseCidr } from '@postern/config';
import { unmapAddress } from '@postern/dns';
import { networkSet } from '../network-set.js';
import { type MmdbFileOptions, openMmdbFile } from './mmdb-file.js';

export interface CountryLookup {
  /** Two capital letters; '' = in no country, undefined = there is no database. */
  of(address: string): string | undefined;
}

export interface CountryDatabase extends CountryLookup {
  stop(): void;
}

export type CountryDatabaseOptions = MmdbFileOptions;

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

/** Private, reserved and documentation addresses: of nobody on the Internet. */
export const isReserved = (address: string): boolean => reserved.has(address);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** The databases in use write it as `country_code`, `country.iso_code` or `country`. */
export function countryCode(entry: unknown): string {
  if (!isObject(entry)) return '';
  const country = entry.country_code ?? (isObject(entry.country) ? entry.country.iso_code : entry.country);
  return typeof country === 'string' && /^[A-Za-z]{2}$/.test(country) ? country.toUpperCase() : '';
}

export async function openCountryDatabase(options: CountryDatabaseOptions): Promise<CountryDatabase> {
  const file = openMmdbFile(options);
  await file.first;
  return {
    of(address) {
      if (isReserved(address)) return '';
      return file.loaded ? countryCode(file.get(unmapAddress(address))) : undefined;
    },
    stop: () => file.stop(),
  };
}
