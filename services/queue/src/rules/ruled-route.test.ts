/** Where mail goes when a rule says so: names, logins, owners, lanes, and that what differs never shares a lane. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { systemClock } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { TlsMode } from '@postern/proto/mail/v1/item';
import { expect, test } from 'vitest';
import { compilePolicy } from '../policy-in-use.js';
import { relayed } from './relay-rules.js';

const host = (name: string, login = '') => ({
  ...{ host: name, port: 25, username: login },
  passwordSecret: login === '' ? '' : `route.acme.${login}.0`,
});

const hops = [
  { name: 'sink', hosts: [host('sink.test')] },
  { name: 'smart', hosts: [host('smart.test', 'op')], egressPool: 'blue' },
  { name: 'acme/main', tenant: 'acme', hosts: [host('main.acme.test')] },
  { name: 'acme/out', tenant: 'acme', hosts: [host('out.acme.test', 'user')] },
];

function decide(route: object, owner = '', changes: object = {}, recipient = 'x@far.test') {
  const policy = compilePolicy(
    Snapshot.fromPartial({
      domains: [{ name: 'acme.test', tenant: 'acme', nextHop: 'acme/main' }],
      tenants: [{ name: 'acme', state: 'active', ruleActions: ['route'] }],
      nextHops: hops,
      defaultNextHop: 'sink',
      rules: [
        {
          ...{ id: 'r', version: 4, scope: owner === '' ? 'server' : 'tenant', tenant: owner },
          document: JSON.stringify({ event: 'relay', then: [{ route }] }),
        },
      ],
      ...changes,
    }),
  );
  const before = policy.router.route(recipient);
  const subject = {
    ...{ recipient, tenant: 'acme', reversePath: 'a@acme.test', size: 1, acceptedAtMs: 0, attempt: 1, tags: [] },
    origin: undefined,
    route: before.kind === 'routed' ? before.route : undefined,
  };
  const faults: string[] = [];
  const onFault = (rule: string, message: string): number => faults.push(`${rule} ${message}`);
  const said = relayed({ ...policy, clock: systemClock, onFault }, subject, before);
  expect(faults).toEqual([]);
  return said.route;
}

test.each([
  ['a named next hop with its pool and login', { to: 'smart' }, '', 'smart', 'smart.test', 'op', 'blue'],
  ['a host', { host: 'new.test', port: 587 }, '', 'new.test:587', 'new.test', '', 'default'],
  [
    'a host with the login of a next hop',
    { host: 'new.test', login: 'smart' },
    '',
    'new.test:25 login smart',
    'new.test',
    'op',
    'default',
  ],
  ['an operator names a tenant’s', { to: 'acme/out' }, '', 'acme/out', 'out.acme.test', 'user', 'default'],
  ['a tenant its own', { to: 'out' }, 'acme', 'acme/out', 'out.acme.test', 'user', 'default'],
  ['a tenant the operator’s', { to: 'smart' }, 'acme', 'smart', 'smart.test', 'op', 'blue'],
  ['only the source', { sourceAddress: '192.0.2.1' }, '', 'sink from 192.0.2.1', 'sink.test', '', 'default'],
  ['the pool', { egressPool: 'red' }, '', 'sink by red', 'sink.test', '', 'red'],
])('%s', (_what, route, owner, lane, name, username, egressPool) => {
  expect(decide(route, owner)).toMatchObject({
    kind: 'routed',
    route: { lane, egressPool, nextHops: [{ host: name, username }], domain: 'far.test', egress: {} },
  });
});

test.each([
  ['a next hop that is not there', { to: 'gone' }, '', 'next hop gone of a rule does not exist'],
  ['of another tenant', { to: 'acme/out' }, 'beta', 'next hop acme/out of a rule does not exist'],
  [
    'a login that is not there',
    { host: 'a.test', login: 'sink' },
    '',
    'next hop sink has no login for the route of a rule',
  ],
])('%s: the mail waits and says why', (_what, route, owner, reason) => {
  const beta = { name: 'beta', state: 'active', ruleActions: ['route'] };
  if (owner !== 'beta') expect(decide(route, owner)).toEqual({ kind: 'unrouted', reason });
  else {
    // The mail is acme's: a rule of beta is never asked about it.
    expect(decide(route, owner, { tenants: [beta] })).toMatchObject({ route: { lane: 'sink' } });
  }
});

test('with MX the way stays and TLS, source and name are the route’s', () => {
  const route = { tls: 'required', tlsVersions: ['TLSv1.3'], helo: 'out.test' };
  expect(decide(route, '', { remoteDelivery: true })).toMatchObject({
    route: {
      lane: 'far.test tls required TLSv1.3 as out.test',
      nextHops: [],
      egress: { tlsMode: TlsMode.REQUIRED, tlsVersions: ['TLSv1.3'], helo: 'out.test', sourceAddress: '' },
    },
  });
});

test('tls changes every host of the next hop; implicit is from the first byte on', () => {
  expect(decide({ to: 'smart', tls: 'implicit' })).toMatchObject({
    route: { nextHops: [{ tlsMode: TlsMode.REQUIRED, implicitTls: true }] },
  });
});

test('a rule gives a way where the configuration has none', () => {
  expect(decide({ to: 'smart' }, '', { defaultNextHop: '' })).toMatchObject({ route: { lane: 'smart' } });
});

test('a rule that names a pool nobody declared leaves the mail waiting; one that names another mends it', () => {
  const pools = { egressPools: ['default', 'green'] };
  expect(decide({ egressPool: 'red' }, '', pools)).toMatchObject({ reason: 'egress pool red is not declared' });
  expect(decide({ to: 'smart' }, '', pools)).toMatchObject({ reason: 'egress pool blue is not declared' });
  const blue = { ...pools, defaultNextHop: 'smart' };
  expect(decide({ helo: 'a.test' }, '', blue)).toMatchObject({ reason: 'egress pool blue is not declared' });
  expect(decide({ egressPool: 'green' }, '', blue)).toMatchObject({ kind: 'routed', route: { egressPool: 'green' } });
});
