/**
 * One campaign: a cluster, a load, a nemesis, a verdict. The load goes on until every number was answered 250 and the nemesis has done all its steps;
 * then the cluster must come to rest with its ledger balanced and everything accepted delivered.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDnsServer } from '@postern/dns/testing';
import { type Cluster, startCluster } from '../cluster/cluster.js';
import { type Ledger, waitAtRest } from '../cluster/ledger.js';
import { type Arrivals, collectArrivals } from './arrivals.js';
import { type LoadResult, startLoad } from './load.js';
import { type NatsNodes, startNatsNodes } from './nats-nodes.js';
import { failpointsOf, hitFailpoint, type Misfortune, type Strike, strike } from './nemesis.js';
import { provoke } from './provoke.js';
import { judge, type Verdict } from './verdict.js';

export interface CampaignOptions {
  readonly messages: number;
  readonly size: number;
  readonly senders: number;
  readonly rate: number;
  readonly edges: number;
  readonly policies: number;
  /** 1: the one of the cluster. 3: nodes of their own, streams with three replicas. */
  readonly natsNodes: number;
  /** Processes to strike, in order. */
  readonly targets: readonly string[];
  readonly misfortunes: readonly Misfortune[];
  /** Also kill once at every failpoint of these services; or at one, by its name. */
  readonly failpointsOf: readonly string[];
  readonly deferEvery: number;
  readonly largeEvery: number;
  readonly bounceEvery: number;
  readonly fanOutEvery: number;
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
}

export interface CampaignResult {
  readonly verdict: Verdict;
  readonly ledger: Ledger;
  readonly load: LoadResult;
  readonly strikes: readonly Strike[];
  /** Failpoints that no traffic reached: the campaign proves nothing about them. */
  readonly failpointsMissed: readonly string[];
}

const domain = 'chaos.test';
const secondDomain = 'second.test';

function configuration(sinkPort: number, nats: NatsNodes | undefined): Record<string, unknown> {
  const sink = { host: '127.0.0.1', port: sinkPort, protocol: 'smtp', tls: 'none' };
  return {
    nextHops: { chaos: { hosts: [sink] }, second: { hosts: [sink] } },
    defaultNextHop: 'chaos',
    ...(nats === undefined ? {} : { provisioning: nats.settings }),
    retry: { first: '1s', cap: '4s', lifetime: '1h', delayNotice: '1h' },
    checks: { spf: { enabled: true }, dkim: { enabled: false }, dmarc: { enabled: false }, dnsbl: { enabled: false } },
    tenants: [
      {
        name: 'chaos',
        domains: [
          { name: domain, nextHop: 'chaos', validateRecipients: false },
          { name: secondDomain, nextHop: 'second', validateRecipients: false },
        ],
      },
    ],
  };
}

async function torment(
  cluster: Cluster,
  options: CampaignOptions,
  armFile: string,
  nats: NatsNodes | undefined,
  strikes: Strike[],
): Promise<string[]> {
  const missed: string[] = [];
  for (const name of options.targets) {
    const nodes = name === 'nats' ? nats : undefined;
    for (const misfortune of options.misfortunes) {
      for (let index = 0; index < (nodes?.count ?? 1); index++) {
        const step = nodes === undefined ? `${misfortune} ${name}` : `${misfortune} ${name} node ${index}`;
        options.say(step);
        const fromMs = Date.now();
        await (nodes?.strike(index, misfortune) ?? strike(cluster, name, misfortune));
        strikes.push({ target: name, fromMs, toMs: Date.now() });
        await sleep(1_000);
      }
    }
  }
  for (const wanted of options.failpointsOf) {
    const [service = ''] = wanted.split('.');
    for (const name of wanted === service ? await failpointsOf(service) : [wanted]) {
      const done = await hitFailpoint(cluster, armFile, name, 40_000, () => provoke(cluster, name));
      const hit = done.length > 1;
      options.say(`failpoint ${name}: ${hit ? 'hit' : 'not reached'}`);
      strikes.push(...done);
      if (!hit) missed.push(name);
    }
  }
  return missed;
}

/** When it arrived, and what was being done about then. */
function story(arrivals: Arrivals, strikes: readonly Strike[], key: string): string {
  const came = arrivals.byKey.get(key) ?? [];
  const first = came[0]?.atMs ?? 0;
  const near = strikes.filter(({ fromMs, toMs }) => first >= fromMs - 60_000 && first <= toMs + 60_000);
  const seconds = (atMs: number): string => ((atMs - first) / 1_000).toFixed(1);
  return [
    ...came.map(({ queueId, atMs }) => `${queueId} at ${seconds(atMs)} s`),
    ...near.map(({ target, fromMs, toMs }) => `${target} struck from ${seconds(fromMs)} to ${seconds(toMs)} s`),
  ].join(', ');
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const arrivals = await collectArrivals({ deferEvery: options.deferEvery, secondDomain });
  const dns = await startDnsServer({ 'sender.test': { TXT: ['v=spf1 ip4:127.0.0.0/8 -all'] } });
  const armFolder = await mkdtemp(join(tmpdir(), 'postern-failpoint-'));
  const armFile = join(armFolder, 'armed');
  const nats = options.natsNodes === 1 ? undefined : await startNatsNodes(options.natsNodes);
  const cluster = await startCluster({
    config: configuration(arrivals.sink.port, nats),
    edges: options.edges,
    policies: options.policies,
    dns: dns.server,
    environment: { POSTERN_FAILPOINT_FILE: armFile, ...nats?.environment },
  }).catch(async (error: unknown) => {
    await nats?.stop();
    throw error;
  });
  try {
    const ports = await Promise.all(Array.from({ length: options.edges }, (_, edge) => cluster.port('mx', edge)));
    const load = startLoad({ ...options, domain, secondDomain, ports: () => Promise.resolve(ports) });
    const strikes: Strike[] = [];
    const failpointsMissed = await torment(cluster, options, armFile, nats, strikes);
    options.say(`nemesis done; ${load.accepted()} accepted so far`);
    const loaded = await load.done;
    options.say(`load done: ${loaded.acceptedMessages} accepted, ${loaded.temporary} answered 4xx`);
    const end = Date.now() + 120_000;
    while (arrivals.byKey.size < loaded.accepted.size && Date.now() < end) await sleep(200);
    const ledger = await waitAtRest(cluster, 240_000);
    const verdict = judge(loaded, arrivals, strikes);
    for (const key of verdict.unexplained.slice(0, 20)) {
      options.say(`unexplained ${key}: ${story(arrivals, strikes, key)}`);
      const queueIds = new Set((arrivals.byKey.get(key) ?? []).map(({ queueId }) => queueId));
      for (const queueId of queueIds) options.say((await cluster.ctl('trace', queueId)).stdout);
    }
    return { verdict, ledger, load: loaded, strikes, failpointsMissed };
  } catch (error) {
    options.say(cluster.output().slice(-3_000));
    throw error;
  } finally {
    await cluster.stop();
    await nats?.stop();
    await arrivals.sink.close();
    await dns.stop();
    await rm(armFolder, { recursive: true, force: true });
  }
}
