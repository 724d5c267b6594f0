/**
 * `npm run chaos`: 30,000 numbered messages while every service and every store is killed -9 in turn, paused and restarted, and every failpoint is hit once.
 * Prints the verdict and the ledger; exit code 1 when anything was lost, refused or came twice without an allowed reason. Takes about 10 minutes.
 * `--nats 3`: three NATS nodes, every stream with three replicas, each node struck in turn.
 */
import { suiteOptions } from '@postern/testkit/suite';
import { sum } from '../cluster/ledger.js';
import { runCampaign } from './campaign.js';
import { describe } from './verdict.js';

const services = ['edge', 'policy', 'queue', 'delivery', 'provisioning'];
const values = suiteOptions({
  name: 'chaos',
  takes: 'about 10 minutes',
  defaults: {
    messages: 30000,
    size: 10240,
    senders: 20,
    rate: 60,
    targets: [...services, 'nats', 'redis', 'postgres'].join(','),
    misfortunes: 'kill,pause,restart',
    failpoints: services.join(','),
    nats: 1,
    minutes: 30,
  },
});
const list = (text: string): string[] => text.split(',').filter((entry) => entry !== '');
const startedAt = Date.now();
const say = (line: string): void =>
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`);

const result = await runCampaign({
  messages: values.number('messages'),
  size: values.number('size'),
  senders: values.number('senders'),
  rate: values.number('rate'),
  edges: 2,
  policies: 2,
  natsNodes: values.number('nats'),
  targets: list(values.text('targets')),
  misfortunes: list(values.text('misfortunes')).map((name) => (name === 'pause' || name === 'restart' ? name : 'kill')),
  failpointsOf: list(values.text('failpoints')),
  deferEvery: 50,
  largeEvery: 40,
  bounceEvery: 100,
  fanOutEvery: 20,
  timeoutMs: values.number('minutes') * 60_000,
  say,
});
console.log(describe(result.verdict));
for (const row of result.ledger.rows) {
  console.log(
    `ledger ${row.tenant}: created ${sum(row.created)} = closed ${sum(row.closed)} + open ${sum(row.open)}, difference ${row.difference}`,
  );
}
console.log(
  `strikes ${result.strikes.length}; failpoints not reached: ${result.failpointsMissed.join(', ') || 'none'}`,
);
const { verdict } = result;
const complete = verdict.accepted === values.number('messages');
if (!complete) console.log(`only ${verdict.accepted} of ${values.number('messages')} were accepted in time`);
const bad = verdict.lost.length + verdict.unexplained.length + verdict.refused.length + (complete ? 0 : 1);
process.exit(bad === 0 && result.failpointsMissed.length === 0 ? 0 : 1);
