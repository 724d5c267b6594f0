/** The country check over the database that is shipped: v4, v6, reserved and exempt addresses; and a database that comes and goes. */
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, systemClock } from '@postern/clock';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { afterAll, expect, test, vi } from 'vitest';
import { countryCode, openCountryDatabase } from '../country/country-database.js';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const shipped = createRequire(import.meta.url).resolve(
  '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb',
);
const country = await openCountryDatabase({
  file: shipped,
  clock: systemClock,
  onLoaded: () => undefined,
  onRefused: (reason) => {
    throw new Error(reason);
  },
});
afterAll(() => country.stop());

test.each<[string, string, Action, string]>([
  ['8.8.8.8', 'blocked', Action.REJECT, 'US'],
  ['193.0.6.139', 'accepted', Action.ACCEPT, 'NL'],
  ['::ffff:193.0.6.139', 'accepted', Action.ACCEPT, 'NL'],
  ['2001:4860:4860::8888', 'blocked', Action.REJECT, 'US'],
  ['8.8.4.4', 'exempt', Action.ACCEPT, 'US'],
  ['10.1.2.3', 'unknown', Action.ACCEPT, ''],
  ['127.0.0.1', 'unknown', Action.ACCEPT, ''],
  ['192.0.2.10', 'unknown', Action.ACCEPT, ''],
  ['2001:db8::1', 'unknown', Action.ACCEPT, ''],
  ['fe80::1', 'unknown', Action.ACCEPT, ''],
])('%s is %s', async (client, outcome, action, code) => {
  const snapshot = settings({ country: { onFail: 'reject', allow: ['NL', 'DE'], exempt: ['8.8.4.0/24'] } });
  const verdict = await askEnvelope(ground({ snapshot, tools: { country } }), { client });
  expect(verdict.findings[0]).toMatchObject({ check: 'country', outcome });
  expect(verdict.findings[0]?.evidence.country ?? '').toBe(code);
  expect(verdict.decision?.action).toBe(action);
});

test.each<[string, object, string, Action]>([
  ['100.200.0.1', { allow: ['NL'] }, 'blocked', Action.REJECT],
  ['100.200.0.1', { allow: ['NL'], unknown: 'accept' }, 'unknown', Action.ACCEPT],
  ['100.200.0.1', { block: ['NL'] }, 'unknown', Action.ACCEPT],
  ['10.1.2.3', { allow: ['NL'] }, 'unknown', Action.ACCEPT],
])('%s, which no country is known of, under %j is %s', async (client, fields, outcome, action) => {
  const snapshot = settings({ country: { onFail: 'reject', ...fields } });
  const verdict = await askEnvelope(ground({ snapshot, tools: { country: { of: () => '' } } }), { client });
  expect(verdict.findings[0]).toMatchObject({ check: 'country', outcome });
  expect(verdict.decision?.action).toBe(action);
});

test('a block list blocks what it names alone', async () => {
  const snapshot = settings({ country: { onFail: 'reject', block: ['NL'] } });
  const here = ground({ snapshot, tools: { country } });
  expect((await askEnvelope(here, { client: '193.0.6.139' })).decision?.action).toBe(Action.REJECT);
  expect((await askEnvelope(here, { client: '8.8.8.8' })).decision?.action).toBe(Action.ACCEPT);
});

test('without a database nobody is judged by country', async () => {
  const verdict = await askEnvelope(ground({ snapshot: settings({ country: { onFail: 'reject', allow: ['NL'] } }) }));
  expect([verdict.findings[0]?.outcome, verdict.decision?.action]).toEqual(['unavailable', Action.ACCEPT]);
});

test('a new file is read without a restart, a broken one leaves the old in use', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-mmdb-'));
  const file = join(folder, 'country.mmdb');
  const clock = new FakeClock();
  const loaded = vi.fn();
  const refused = vi.fn();
  const database = await openCountryDatabase({ file, clock, onLoaded: loaded, onRefused: refused });
  const put = async (write: (to: string) => Promise<void>): Promise<void> => {
    await write(`${file}.new`);
    await rename(`${file}.new`, file);
    clock.advance(5_000);
  };
  try {
    expect(refused).toHaveBeenCalledTimes(1);
    expect(database.of('8.8.8.8')).toBeUndefined();
    await put((to) => copyFile(shipped, to));
    await vi.waitFor(() => expect(loaded).toHaveBeenCalledTimes(1));
    expect(database.of('8.8.8.8')).toBe('US');
    await put((to) => writeFile(to, 'no database'));
    await vi.waitFor(() => expect(refused.mock.calls.length).toBeGreaterThan(1));
    expect(database.of('8.8.8.8')).toBe('US');
  } finally {
    database.stop();
    await rm(folder, { recursive: true });
  }
});

test.each([
  [{ country_code: 'de' }, 'DE'],
  [{ country: { iso_code: 'FR' } }, 'FR'],
  [{ country: 'NL' }, 'NL'],
  [{ country: {} }, ''],
  [{ country_code: 'toolong' }, ''],
  [null, ''],
])('%j is %s', (entry, code) => {
  expect(countryCode(entry)).toBe(code);
});
