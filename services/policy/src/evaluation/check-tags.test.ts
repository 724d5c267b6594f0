/** What a check of any stage tags leaves with the message: the request that judges the content knows it from the findings of those before. */
import type { EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground, settings } from '../testing/ground.js';

const zone = {
  'sender.test': { TXT: ['v=spf1 -all'] },
  '10.2.0.192.bl.test': { A: ['127.0.0.2'] },
} as const;
const tag = { onFail: 'tag' };

const tagsOf = ({ groups }: EvaluateResponse) =>
  groups.map(({ recipients, rendering }) => [recipients, rendering?.tags]);

test.each<[string, Readonly<Record<string, object>>]>([
  ['helo', { helo: tag }],
  ['spf', { spf: tag }],
  ['sender', { sender: tag }],
  ['ptr', { ptr: tag }],
  ['dnsbl', { dnsbl: { ...tag, zones: ['bl.test'], selfTest: false } }],
  ['country', { country: { ...tag, block: ['KP'] } }],
  ['lists', { lists: { ...tag, block: ['sender.test'] } }],
])('%s', async (check, operator) => {
  const at = ground({ zone, snapshot: settings(operator), tools: { country: { of: () => 'KP' } } });
  const before = await askEnvelope(at, { helo: 'bare' });
  const after = await askContent(at, 'Subject: x\n\nbody\n', { helo: 'bare' }, before);
  expect(tagsOf(after)).toEqual([[['user@here.test'], [`check-${check}`]]]);
});

test('of a tenant for its own recipients alone', async () => {
  const at = ground({
    zone,
    entries: { 'u@one.test': 'user', 'u@two.test': 'user' },
    snapshot: {
      ...settings({ spf: {} }),
      tenants: [{ name: 't1' }, { name: 't2', checks: JSON.stringify({ spf: tag }) }],
      domains: [
        { name: 'one.test', tenant: 't1', nextHop: 'sink' },
        { name: 'two.test', tenant: 't2', nextHop: 'sink' },
      ],
    },
  });
  const to = ['u@one.test', { address: 'u@two.test', tenant: 't2' }];
  const after = await askContent(at, 'Subject: x\n\nbody\n', { to }, await askEnvelope(at, { to }));
  expect(tagsOf(after)).toEqual([
    [['u@one.test'], []],
    [['u@two.test'], ['check-spf']],
  ]);
});
