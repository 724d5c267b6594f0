import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { expect, test } from 'vitest';
import { readableSnapshot } from './readable-networks.js';

const reversed = '127.0.0.60-127.0.0.50';
const of = (parts: object): Snapshot => Snapshot.fromPartial({ version: 1, ...parts });
const good = '192.0.2.0/24';

test.each([
  ['accessRules', (network: string) => [{ level: 'global', network, allow: false }]],
  ['ipSets', (network: string) => [{ name: 'one', networks: [good, network] }]],
  ['relayNetworks', (network: string) => [{ network, tenant: 'acme' }]],
  ['trustedProxies', (network: string) => [network]],
  ['listeners', (network: string) => [{ name: 'mx', role: 'mx', xclientNetworks: [network] }]],
] as const)('%s with a network that cannot be read stay as they were', (name, list) => {
  const before = of({ [name]: list(good) });
  const next = of({ [name]: list(reversed), hostname: 'new.test' });
  const { snapshot, refused } = readableSnapshot(next, before);
  expect(snapshot[name]).toEqual(before[name]);
  expect(snapshot.hostname).toBe('new.test');
  expect(refused).toEqual([`${name}: "${reversed}" is no network`]);
  expect(() => readableSnapshot(next, undefined)).toThrow(`${name}: "${reversed}" is no network`);
  expect(readableSnapshot(before, undefined)).toEqual({ snapshot: before, refused: [] });
});
