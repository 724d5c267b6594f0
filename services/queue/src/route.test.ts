import { LaneClass } from '@postern/proto/mail/v1/item';
import { expect, test } from 'vitest';
import { createRouter, domainOf } from './route.js';
import { testSnapshot } from './testing/messages.js';

const hop = (name: string, tenant = '') => ({ name, tenant, egressPool: '', hosts: [] });

test.each([
  [
    'a hosted domain goes to its next hop',
    {},
    'u@acme.test',
    { lane: 'main', laneClass: LaneClass.LOCAL, domain: 'acme.test' },
  ],
  ['the domain is compared without case', {}, 'u@ACME.test', { lane: 'main' }],
  ['foreign mail stays at home by default', {}, 'u@far.test', { lane: 'mailbox', laneClass: LaneClass.SMARTHOST }],
  [
    'foreign mail goes by MX when that is on',
    { remoteDelivery: true },
    'u@far.test',
    { lane: 'far.test', laneClass: LaneClass.REMOTE, nextHops: [] },
  ],
])('%s', (_, changes, address, expected) => {
  expect(createRouter(testSnapshot(changes)).route(address)).toMatchObject({ kind: 'routed', route: expected });
});

test("a tenant's next hop comes before the operator's, and another tenant's is not seen", () => {
  const router = createRouter(testSnapshot({ nextHops: [hop('main', 'acme'), hop('main', 'other')] }));
  expect(router.route('u@acme.test')).toMatchObject({ kind: 'routed' });
  expect(router.route('u@beta.test')).toMatchObject({ kind: 'unrouted' });
  expect(router.route('u@far.test')).toMatchObject({ kind: 'unrouted' });
});

test('mail of an egress pool that is not declared waits, and a release that declares none is believed', () => {
  const nextHops = [{ ...hop('main', 'acme'), egressPool: 'blue' }];
  const to = (egressPools: string[]) => createRouter(testSnapshot({ nextHops, egressPools })).route('u@acme.test');
  expect(to(['default', 'blue'])).toMatchObject({ kind: 'routed', route: { egressPool: 'blue' } });
  expect(to([])).toMatchObject({ kind: 'routed' });
  expect(to(['default'])).toMatchObject({ kind: 'unrouted', reason: 'egress pool blue is not declared' });
  const remote = createRouter(testSnapshot({ remoteDelivery: true, egressPools: ['blue'] }));
  expect(remote.route('u@far.test')).toMatchObject({ kind: 'unrouted', reason: 'egress pool default is not declared' });
});

test('mail that waits for a domain that is hosted no longer stays, and goes once it is again', () => {
  const before = createRouter(testSnapshot()).route('u@acme.test');
  const local = before.kind === 'routed' ? before.route : undefined;
  expect(local?.laneClass).toBe(LaneClass.LOCAL);
  for (const remoteDelivery of [false, true]) {
    const router = createRouter(testSnapshot({ domains: [], remoteDelivery }));
    expect(router.routeAgain('u@ACME.test', local)).toEqual({
      kind: 'unrouted',
      reason: 'acme.test is no longer hosted here',
    });
    const foreign = router.route('u@far.test');
    expect(router.routeAgain('u@far.test', foreign.kind === 'routed' ? foreign.route : undefined)).toEqual(foreign);
    expect(router.routeAgain('u@far.test', undefined)).toEqual(foreign);
  }
  expect(createRouter(testSnapshot()).routeAgain('u@acme.test', local)).toEqual(before);
});

test('the domain is what stands behind the last @', () => {
  expect(domainOf('"a@b"@C.test')).toBe('c.test');
});
