import { clientPrefix } from '@postern/flow-control';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { expect, test } from 'vitest';
import { createAdmission } from './admission.js';
import { openSession } from './session.js';
import { compileSnapshot } from './snapshot/compile.js';

async function addressesAsked(limits: object, clientAddress: string): Promise<string[]> {
  const asked: string[] = [];
  const admit = createAdmission({
    limiter: {
      admit: ({ address, scopes, ipv6Prefix = 0 }) => {
        asked.push(...scopes.map((scope) => clientPrefix(address, scope.ipv6Prefix ?? ipv6Prefix)));
        return Promise.resolve({ kind: 'joining' });
      },
    },
    snapshot: () => compileSnapshot(Snapshot.fromPartial({ version: 1, ...limits })),
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

const service = (ipv6Prefix: number) => ({ limits: { ipv6Prefix } });
const listener = { listeners: [{ name: 'mx', role: 'mx', limits: { ipv6Prefix: 56 } }] };
const set = (ipv6Prefix: number) => ({ ipSets: [{ name: 's', networks: ['2001:db8::/32'], limits: { ipv6Prefix } }] });
const client6 = '2001:db8:1:234:5::6';
const whole = '2001:db8:1:234:0:0:0:0/64';

test.each<[object, string, string[]]>([
  [service(0), client6, [whole]],
  [service(48), client6, ['2001:db8:1:0:0:0:0:0/48']],
  [service(48), '192.0.2.1', ['192.0.2.1']],
  [service(48), '::ffff:192.0.2.1', ['192.0.2.1']],
  [{ ...service(0), ...listener }, client6, [whole, '2001:db8:1:200:0:0:0:0/56']],
  [{ ...service(0), ...set(48) }, client6, [whole, '2001:db8:1:0:0:0:0:0/48']],
  [{ ...service(0), ...set(0) }, client6, [whole, whole]],
])('by %j the client %s is counted as %j', async (limits, client, counted) => {
  expect(await addressesAsked(limits, client)).toEqual(counted);
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
