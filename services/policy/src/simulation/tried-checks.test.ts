/** Settings of checks tried before they are saved: of the operator, a tenant or a domain; felt by nobody else, and gone afterwards. */
import { FakeClock } from '@postern/clock';
import { type CandidateChecks, SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { factsOf, ground, settings } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';
import { simulate } from './simulate.js';

const here = ground({
  entries: { 'u@one.test': 'user', 'u@second.test': 'user', 'u@two.test': 'user' },
  snapshot: {
    ...settings({ lists: { tenantsMay: 'anything' } }),
    tenants: [{ name: 't1' }, { name: 't2' }],
    domains: [
      { name: 'one.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
      { name: 'second.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
      { name: 'two.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
    ],
  },
});
const parts = {
  ...{ judge: here.judge, recordings: memoryRecordings(), clock: new FakeClock() },
  ...{ maxHops: 25, maxLineLength: 998, deadlineMs: 5_000 },
};

/** Reply codes to RCPT, or that of the command that ended the session. */
async function told(
  to: readonly string[],
  tenant = '',
  checks?: Partial<Pick<CandidateChecks, 'scope' | 'document'>>,
): Promise<number[]> {
  const facts = factsOf({ to: to.map((address) => ({ address, tenant: '' })) });
  const { replies } = await simulate(
    parts,
    SimulateRequest.fromPartial({ facts, tenant, ...(checks && { checks }) }),
    here.snapshot,
  );
  const refused = replies.find(({ recipient, replyCode }) => recipient === '' && replyCode >= 400);
  const answers = replies.filter(({ recipient }) => recipient !== '').map(({ replyCode }) => replyCode);
  return refused === undefined ? answers : [refused.replyCode];
}

const document = JSON.stringify({ lists: { block: ['sender.test'], onFail: 'reject' } });

test('of a tenant or one of its domains, and gone afterwards', async () => {
  expect(await told(['u@one.test', 'u@second.test'], 't1')).toEqual([250, 250]);
  expect(await told(['u@one.test', 'u@second.test'], 't1', { document })).toEqual([550, 550]);
  expect(await told(['u@one.test', 'u@second.test'], 't1', { scope: 'second.test', document })).toEqual([250, 550]);
  expect(await told(['u@one.test', 'u@second.test'], 't1')).toEqual([250, 250]);
});

test('of the operator: for all, beside what tenants set', async () => {
  const whole = settings({ lists: { block: ['sender.test'], onFail: 'reject' } }).checks;
  expect(await told(['u@one.test', 'u@two.test'], '', whole)).toEqual([550, 550]);
  expect(await told(['u@one.test', 'u@two.test'], '')).toEqual([250, 250]);
});

test.each([
  ['t1', 'two.test'],
  ['t1', 'nowhere.test'],
  ['t1', 'u@one.test'],
  ['', 'one.test'],
])('as %s a scope %s is refused', async (tenant, scope) => {
  await expect(told([], tenant, { scope, document })).rejects.toMatchObject({ id: 'permission-denied' });
});
