import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { expect, test } from 'vitest';
import { compileSnapshot } from './compile.js';

const mx = { name: 'mx', role: 'mx' } as const;
const snapshot = compileSnapshot(
  Snapshot.fromPartial({
    version: 1,
    limits: {
      ...{ connections: 100, connectionsPerIp: 5, connectionRatePerIp: 30, messageSize: 1_000, recipients: 10 },
      ...{ messagesPerSession: 7, bytesPerSession: 8_000 },
    },
    messageLimits: { perAddress: { messages: 6, recipients: 60, bytes: 600 } },
    listeners: [{ name: 'mx', role: 'mx', limits: { connectionsPerIp: 3, errorsPerSession: 4 } }],
    ipSets: [
      {
        name: 'partners',
        networks: ['192.0.2.0/24'],
        limits: { connections: 50, connectionsPerIp: 40, intervalMs: 1_000, messageSize: 9_000 },
        skipChecks: ['spf'],
        trusted: true,
      },
      {
        name: 'free',
        networks: ['203.0.113.64/26'],
        limits: {},
        messageRate: {},
        unlimited: [
          ...['connectionsPerIp', 'connectionRatePerIp', 'messagesPerSession', 'bytesPerSession', 'recipients'],
          ...['errorsPerSession', 'messageLimit.messages', 'messageLimit.bytes'],
        ],
      },
      {
        name: 'own rate',
        networks: ['203.0.113.128/26'],
        messageRate: { messages: 2, intervalMs: 60_000 },
        unlimited: ['messageLimit.recipients'],
      },
      { name: 'plain', networks: ['198.51.100.0/24'] },
    ],
  }),
);

test("a set's own per-address limits take the place of those of service and listener, totals hold besides", () => {
  expect(snapshot.policyFor(mx, 'partners').scopes).toEqual([
    {
      name: 'service',
      limits: {
        simultaneous: 100,
        simultaneousPerAddress: undefined,
        newPerInterval: undefined,
        newPerAddressPerInterval: { count: 30, intervalMs: 60_000 },
      },
    },
    {
      name: 'listener:mx',
      limits: {
        simultaneous: undefined,
        simultaneousPerAddress: undefined,
        newPerInterval: undefined,
        newPerAddressPerInterval: undefined,
      },
    },
    {
      name: 'set:partners',
      limits: {
        simultaneous: 50,
        simultaneousPerAddress: 40,
        newPerInterval: undefined,
        newPerAddressPerInterval: undefined,
      },
    },
  ]);
});

test('a set may have no limit of a kind, whatever service and listener say; totals hold all the same', () => {
  const { scopes, messagesPerSession, bytesPerSession, addressRate } = snapshot.policyFor(mx, 'free');
  const perAddress = scopes.map(({ limits }) => [limits.simultaneousPerAddress, limits.newPerAddressPerInterval]);
  expect(perAddress.flat()).toEqual(perAddress.flat().map(() => undefined));
  expect(scopes.map(({ limits }) => limits.simultaneous)).toEqual([100, undefined, undefined]);
  expect({ messagesPerSession, bytesPerSession }).toEqual({ messagesPerSession: 0, bytesPerSession: 0 });
  expect(addressRate).toEqual({ recipients: { count: 60, intervalMs: 3_600_000 } });
  const { recipients, errorsPerSession } = snapshot.policyFor(mx, 'free');
  expect(Math.min(recipients, errorsPerSession)).toBe(4_294_967_295);
});

test('of the message rates of a set each stands by itself', () => {
  expect(snapshot.policyFor(mx, 'own rate').addressRate).toEqual({
    messages: { count: 2, intervalMs: 60_000 },
    bytes: { count: 600, intervalMs: 3_600_000 },
  });
});

test.each([
  ['partners', { messagesPerSession: 7, bytesPerSession: 8_000, addressRate: { messages: { count: 6 } } }],
  ['partners', { messageSize: 9_000, recipients: 10, errorsPerSession: 4, skipChecks: ['spf'], trusted: true }],
  ['plain', { messageSize: 1_000, recipients: 10, errorsPerSession: 4, skipChecks: [], trusted: false }],
  [undefined, { messageSize: 1_000, recipients: 10, errorsPerSession: 4, skipChecks: [], trusted: false }],
  ['gone since', { messageSize: 1_000, recipients: 10, errorsPerSession: 4, skipChecks: [], trusted: false }],
])('of %s holds %o', (name, expected) => {
  expect(snapshot.policyFor(mx, name)).toMatchObject(expected);
});

test.each([
  ['192.0.2.1', false, 'partners'],
  ['192.0.2.1', true, undefined],
  ['198.51.100.1', true, 'plain'],
  ['203.0.113.1', false, undefined],
])('%s, suspected %s, is in set %s', (address, suspected, name) => {
  expect(snapshot.ipSet(mx, address, suspected)?.name).toBe(name);
});
