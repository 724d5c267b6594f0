// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** A tenant's view of a described session: the whole truth about its own mail, nothing of the relay rights, rules and recipients of others. */
import { FakeClock } from '@postern/clock';
import { SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { ground } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';
import { simulate } from './simulate.js';

const here = ground({
  snapshot: {
    domains: [
      { name: 'here.test', tenant: 't1' },
      { name: 'other.test', tenant: 't2' },
    ],
    relayNetworks: [
      { network: '192.0.2.1', tenant: 't1' },
      { network: '192.0.2.2', tenant: 't2' },
    ],
  },
});

interface Described {
  readonly client?: string;
  readonly user?: string;
  readonly to: string;
}

function simulation(at: typeof here, tenant: string, { client = '192.0.2.9', user, to }: Described) {
  const role = user === undefined ? 'mx' : 'submission';
  const request = SimulateRequest.fromPartial({
    tenant,
    facts: {
      origin: {
        ...{ clientAddress: client, helo: 'client.test', authenticatedUser: user ?? '' },
        tlsVersion: user === undefined ? '' : 'TLSv1.3',
      },
      ...{ listenerRole: role, esmtp: true, hasReversePath: true, reversePath: 'a@here.test' },
      recipients: [{ address: to }],
    },
  });
  const parts = {
    judge: at.judge,
    recordings: memoryRecordings(),
    clock: new FakeClock(),
    maxHops: 30,
    maxLineLength: 65_536,
    deadlineMs: 15_000,
  };
  return simulate(parts, request, at.snapshot);
}

async function told(tenant: string, described: Described): Promise<string> {
  const { replies, submittingTenant } = await simulation(here, tenant, described);
  const last = replies.at(-1);
  return [last?.replyCode, last?.decidedBy, submittingTenant].filter((part) => part !== '').join(' ');
}

test.each<[string, Described, string]>([
  ['t1', { to: 'x@far.test' }, '550 no relay right'],
  ['', { to: 'x@far.test' }, '550 no relay right'],
  ['t1', { client: '192.0.2.1', to: 'x@far.test' }, '250 t1'],
  ['t1', { client: '192.0.2.2', to: 'x@far.test' }, '550 no relay right'],
  ['', { client: '192.0.2.2', to: 'x@far.test' }, '250 t2'],
  ['t1', { user: 'a@here.test', to: 'x@far.test' }, '250 t1'],
  ['t1', { to: 'a@here.test' }, '250'],
])('as %j sees it, %o: %s', async (tenant, described, expected) => {
  expect(await told(tenant, described)).toBe(expected);
});

test('mail it submits to another tenant: its own rules by name, of the other no more than the answer', async () => {
  const rule = (text: string, when: string) => ({ event: 'rcpt', when, then: [{ reject: { code: 550, text } }] });
  const at = ground({
    snapshot: {
      domains: [
        { name: 'here.test', tenant: 't1' },
        { name: 'other.test', tenant: 't2' },
      ],
    },
    entries: { 'a@other.test': 'user', 'all@other.test': ['secret@other.test'] },
    tenantRules: {
      t1: [rule('mine', 'recipient.user == "mine"')],
      t2: [rule('theirs', 'recipient.user == "theirs"')],
    },
  });
  const view = (to: string) => simulation(at, 't1', { user: 'a@here.test', to });
  expect((await view('mine@other.test')).replies.at(-1)).toMatchObject({ replyCode: 550, decidedBy: 'tenant-1@3' });
  const theirs = await view('theirs@other.test');
  expect(theirs.replies.at(-1)).toMatchObject({ replyCode: 550, decidedBy: 'verdict' });
  expect(JSON.stringify(theirs)).not.toContain('tenant-1@3');
  expect(JSON.stringify(await view('all@other.test'))).not.toContain('secret');
});

test.each<Described>([{ to: 'a@other.test' }, { user: 'a@other.test', to: 'a@here.test' }])(
  '%o is not for t1 to ask',
  async (described) => {
    await expect(told('t1', described)).rejects.toMatchObject({ id: 'permission-denied' });
  },
);
