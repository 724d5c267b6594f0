/**
 * `npm run test:scale`: four edges and two policies on this machine; limits over all of them, the death of an edge and of policies, many tenants and users.
 * `--parts limits,policy,users` names the parts. About three minutes. `npm run test:flow` is the part `truth`: limits while edges are killed and paused, five minutes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startSmtpSink } from '@postern/testkit/smtp';
import { suiteOptions } from '@postern/testkit/suite';
import { type Cluster, startCluster } from '../cluster/cluster.js';
import { startReport } from '../fuzz/report.js';
import { type ScaleContext, scaleLimits } from './limits-part.js';
import { scaleUsers } from './many-users.js';
import { scalePolicyDeath } from './policy-death.js';
import { scaleTruth } from './truth-part.js';

const values = suiteOptions({
  name: 'test:scale',
  takes: 'about 3 minutes; npm run test:flow about 5',
  defaults: {
    edges: 4,
    policies: 2,
    tenants: 100,
    users: 10000,
    parts: 'limits,policy,users',
  },
});
const parts = new Set(values.text('parts').split(','));
const edges = values.number('edges');
const off = { enabled: false };

function configuration(sinkPort: number, limits: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    nextHops: { scale: { hosts: [{ host: '127.0.0.1', port: sinkPort, protocol: 'smtp', tls: 'none' }] } },
    defaultNextHop: 'scale',
    checks: { spf: off, dkim: off, dmarc: off, dnsbl: off },
    limits,
    tenants: [{ name: 'load', domains: [{ name: 'load.test', nextHop: 'scale', validateRecipients: false }] }],
  };
}

async function snapshotVersions(cluster: Cluster): Promise<number[]> {
  const { services } = await cluster.run();
  return Promise.all(
    services
      .filter(({ name }) => name === 'edge')
      .map(async ({ metrics }) => {
        const text = await (await fetch(new URL('/metrics', metrics))).text();
        return Number(/^postern_edge_snapshot_version(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
      }),
  );
}

const report = startReport();
await report.part('cluster', async () => {
  const arrived = new Set<string>();
  const sink = await startSmtpSink({
    keep: false,
    onMessage: ({ data }) => {
      const id = /^X-Scale: (\S+)/m.exec(data.toString('latin1', 0, 8_192))?.[1];
      if (id !== undefined) arrived.add(id);
    },
  });
  const cluster = await startCluster({
    config: configuration(sink.port, {}),
    edges,
    policies: values.number('policies'),
  });
  report.say(`        ${edges} edges and ${values.number('policies')} policies serve (${cluster.dataDir})`);
  const context: ScaleContext = {
    report,
    cluster,
    edges,
    async setLimits(limits) {
      const before = Math.max(...(await snapshotVersions(cluster)));
      await cluster.writeConfig(configuration(sink.port, limits));
      const end = Date.now() + 5_000;
      while (Date.now() < end && (await snapshotVersions(cluster)).some((version) => version <= before))
        await sleep(50);
    },
  };
  try {
    if (parts.has('limits')) await report.part('limits', () => scaleLimits(context));
    if (parts.has('truth')) await report.part('truth', () => scaleTruth(context));
    if (parts.has('policy')) await report.part('policy', () => scalePolicyDeath(context, arrived));
    if (parts.has('users')) {
      await report.part('users', () =>
        scaleUsers(context, { tenants: values.number('tenants'), users: values.number('users') }),
      );
    }
  } finally {
    await cluster.stop();
    await sink.close();
  }
});
process.exit(report.end());
