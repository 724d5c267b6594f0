/**
 * `npm run chaos`: 20,000 numbered messages while every service and every store is killed -9 in turn, paused and restarted, and every failpoint is hit once.
 * Prints the verdict and the ledger; exit code 1 when anything was lost, refused or came twice without an allowed reason. Takes about 6 minutes.
 * `--nats 3`: three NATS nodes, every stream with three replicas, each node struck in turn.
 */
import { parseArgs } from 'node:util';
import { sum } from '../cluster/ledger.js';
import { runCampaign } from './campaign.js';
import { describe } from './verdict.js';

const services = ['edge', 'policy', 'queue', 'delivery', 'provisioning'];
const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    size: { type: 'string', default: '10240' },
    senders: { type: 'string', default: '20' },
    rate: { type: 'string', default: '60' },
    targets: { type: 'string', default: [...services, 'nats', 'redis', 'postgres'].join(',') },
    misfortunes: { type: 'string', default: 'kill,pause,restart' },
    failpoints: { type: 'string', default: services.join(',') },
    nats: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '30' },
  },
});
const list = (text: string): string[] => text.split(',').filter((entry) => entry !== '');
const startedAt = Date.now();
const say = (line: string): void =>
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}`);

const result = await runCampaign({
  messages: Number(values.messages),
  size: Number(values.size),
  senders: Number(values.senders),
  rate: Number(values.rate),
  edges: 2,
  policies: 2,
  natsNodes: Number(values.nats),
  targets: list(values.targets),
  misfortunes: list(values.misfortunes).map((name) => (name === 'pause' || name === 'restart' ? name : 'kill')),
  failpointsOf: list(values.failpoints),
  deferEvery: 50,
  largeEvery: 40,
  bounceEvery: 100,
  fanOutEvery: 20,
  timeoutMs: Number(values.minutes) * 60_000,
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
const complete = verdict.accepted === Number(values.messages);
if (!complete) console.log(`only ${verdict.accepted} of ${values.messages} were accepted in time`);
const bad = verdict.lost.length + verdict.unexplained.length + verdict.refused.length + (complete ? 0 : 1);
process.exit(bad === 0 && result.failpointsMissed.length === 0 ? 0 : 1);
