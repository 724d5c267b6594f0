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
