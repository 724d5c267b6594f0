import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { expect, test } from 'vitest';
import { createPreludeGate, maxPreludes } from './prelude.js';
import { compileSnapshot } from './snapshot/compile.js';

function gate(snapshot: object) {
  const outcomes: string[] = [];
  const compiled = compileSnapshot(Snapshot.fromPartial({ version: 1, ...snapshot }));
  const enter = createPreludeGate({
    snapshot: () => compiled,
    abuse: { banned: () => undefined },
    onRefused: (outcome) => void outcomes.push(outcome),
  });
  const listener = { name: 'submissions', role: 'submissions' } as const;
  return { outcomes, enter: (clientAddress: string) => enter({ listener, clientAddress }) };
}

const perIp = (connectionsPerIp: number) => ({ connectionsPerIp });

test.each<[string, object, string, number]>([
  ['the service', { limits: perIp(3) }, '192.0.2.1', 3],
  [
    'the smallest of service and listener',
    { limits: perIp(3), listeners: [{ name: 'submissions', role: 'submissions', limits: perIp(2) }] },
    '192.0.2.1',
    2,
  ],
  [
    'the set in place of the service',
    { limits: perIp(3), ipSets: [{ name: 'partners', networks: ['192.0.2.0/24'], limits: { connectionsPerIp: 5 } }] },
    '192.0.2.1',
    5,
  ],
  ['nobody: a tenth of all', {}, '192.0.2.1', maxPreludes / 10],
])('an address has as many handshakes at once as %s allows', (_name, snapshot, address, allowed) => {
  const { enter } = gate(snapshot);
  for (let index = 0; index < allowed; index++) expect(enter(address).kind).toBe('entered');
  expect(enter(address)).toMatchObject({ kind: 'refused', reason: expect.stringContaining(`limit ${allowed}`) });
  expect(enter('198.51.100.1').kind).toBe('entered');
});

test('IPv6 clients count by prefix, and leaving twice frees one place', () => {
  const { enter, outcomes } = gate({ limits: { ...perIp(2), ipv6Prefix: 48 } });
  const first = enter('2001:db8:1:1::1');
  enter('2001:db8:1:2::1');
  expect(enter('2001:db8:1:3::1').kind).toBe('refused');
  expect(enter('2001:db8:2::1').kind).toBe('entered');
  if (first.kind === 'entered') {
    first.leave();
    first.leave();
  }
  expect(enter('2001:db8:1:3::1').kind).toBe('entered');
  expect(enter('2001:db8:1:3::1').kind).toBe('refused');
  expect(outcomes).toEqual(['limit', 'limit']);
});
