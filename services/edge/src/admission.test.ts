import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { expect, test } from 'vitest';
import { createAdmission } from './admission.js';
import { openSession } from './session.js';
import { compileSnapshot } from './snapshot/compile.js';

async function addressesAsked(ipv6Prefix: number, clientAddress: string): Promise<string[]> {
  const asked: string[] = [];
  const admit = createAdmission({
    limiter: {
      admit: ({ address }) => {
        asked.push(address);
        return Promise.resolve({ kind: 'joining' });
      },
    },
    snapshot: () => compileSnapshot(Snapshot.fromPartial({ version: 1, limits: { ipv6Prefix } })),
    abuse: { banned: () => undefined },
    overload: () => undefined,
    isDraining: () => false,
    onDecided: () => undefined,
  });
  const session = openSession({
    id: 'S',
    listener: { name: 'mx', role: 'mx' },
    clientAddress,
    clientPort: 1,
    localAddress: '::1',
    localPort: 25,
    startedAtMs: 0,
    tls: undefined,
    traceparent: '',
  });
  expect(await admit(session)).toMatchObject({ kind: 'refused' });
  return asked;
}

test.each([
  [0, '2001:db8:1:2:3::4', '2001:db8:1:2:0:0:0:0/64'],
  [48, '2001:db8:1:2:3::4', '2001:db8:1:0:0:0:0:0/48'],
  [48, '192.0.2.1', '192.0.2.1'],
  [48, '::ffff:192.0.2.1', '192.0.2.1'],
])('with prefix %i the client %s is counted as %s', async (prefix, client, counted) => {
  expect(await addressesAsked(prefix, client)).toEqual([counted]);
});

test.each<[string, 'mx' | 'submission', object, string, RegExp]>([
  ['a stranger on mx', 'mx', {}, 'strangers', /^421 4\.3\.1 too busy/],
  [
    'a member of a trusted set',
    'mx',
    { ipSets: [{ name: 's', networks: ['192.0.2.0/24'], trusted: true }] },
    'strangers',
    /admitted/,
  ],
  ['a relay client', 'mx', { relayNetworks: [{ network: '192.0.2.1', tenant: 't' }] }, 'strangers', /admitted/],
  ['who may still log in', 'submission', {}, 'strangers', /admitted/],
  ['everybody', 'submission', {}, 'everybody', /^421 4\.3\.1 too busy/],
])('%s on %s while %o sheds %s', async (_name, role, snapshot, shed, expected) => {
  const outcomes: string[] = [];
  const admit = createAdmission({
    limiter: { admit: async () => ({ kind: 'admitted', decidedBy: 'memory', lease: { release: () => undefined } }) },
    snapshot: () => compileSnapshot(Snapshot.fromPartial({ version: 1, ...snapshot })),
    abuse: { banned: () => undefined },
    overload: (isTrusted) => (shed === 'everybody' || !isTrusted ? 'event loop' : undefined),
    isDraining: () => false,
    onDecided: (outcome) => void outcomes.push(outcome),
  });
  const session = openSession({
    id: 'S',
    listener: { name: role, role },
    clientAddress: '192.0.2.1',
    clientPort: 1,
    localAddress: '::1',
    localPort: 25,
    startedAtMs: 0,
    tls: undefined,
    traceparent: '',
  });
  const opening = await admit(session);
  const said =
    opening.kind === 'refused' ? `${opening.reply.code} ${opening.reply.enhanced} ${opening.reply.text}` : opening.kind;
  expect(said).toMatch(expected);
  expect(outcomes).toEqual([opening.kind === 'refused' ? 'overload' : 'admitted']);
});
