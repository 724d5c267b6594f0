/** Design invariant 3, in small: 2,000 messages while each process that carries mail is killed -9 once. The long form is `npm run chaos`. */
import { expect, test } from 'vitest';
import { runCampaign } from './campaign.js';

test('2,000 messages survive kill -9 of every service and store', async () => {
  const { verdict, ledger, strikes } = await runCampaign({
    messages: 2_000,
    size: 4_096,
    senders: 10,
    rate: 60,
    edges: 2,
    policies: 2,
    natsNodes: 1,
    targets: ['edge', 'policy', 'queue', 'delivery', 'nats', 'redis', 'postgres'],
    misfortunes: ['kill'],
    failpointsOf: [],
    deferEvery: 50,
    largeEvery: 100,
    bounceEvery: 100,
    fanOutEvery: 20,
    timeoutMs: 240_000,
    say: () => {},
  });
  expect(strikes).toHaveLength(7);
  expect(verdict).toMatchObject({ accepted: 2_000, lost: [], unexplained: [], refused: [] });
  expect(ledger.balanced).toBe(true);
}, 420_000);
