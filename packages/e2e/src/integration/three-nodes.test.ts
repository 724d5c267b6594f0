/**
 * Three NATS nodes, every stream with three replicas (design.md, invariants 1 and 3): mail flows while one node is killed with -9 and another stands still, and
 * what was answered 250 arrives; without a majority nothing is answered 250.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { withNatsCluster } from '@postern/testkit';
import { buildMessage } from '@postern/testkit/smtp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, waitAtRest } from '../cluster/index.js';
import { speak, worldConfig } from './mail-world.js';
import { type NextHopServer, reserveNextHop } from './next-hop-server.js';

const nats = withNatsCluster();
let cluster: Cluster;
let nextHop: NextHopServer;
const acceptedIds: string[] = [];
let number = 0;

beforeAll(async () => {
  nextHop = await reserveNextHop();
  await nextHop.open();
  const { nodes } = nats.cluster;
  cluster = await startCluster({
    config: worldConfig(nextHop.port, {
      checks: {
        spf: { enabled: false },
        dkim: { enabled: false },
        dmarc: { enabled: false },
        dnsbl: { enabled: false },
      },
      provisioning: { streams: { replicas: 3 }, natsMonitors: nodes.map((node) => node.monitorUrl) },
    }),
    environment: {
      POSTERN_NATS_URL: nodes.map(({ url }) => url).join(','),
      POSTERN_NATS_MONITOR_URL: nodes.map(({ monitorUrl }) => monitorUrl).join(','),
    },
  });
}, 300_000);
afterAll(async () => {
  await cluster?.stop();
  await nextHop?.close();
}, 60_000);

async function attempt(): Promise<string> {
  const id = `r3-${++number}`;
  const [from, to] = ['x@good.test', 'bob@acme.test'];
  try {
    const sender = await speak(cluster, 'mx');
    try {
      const reply = await sender.send({ from, to: [to], data: buildMessage({ from, to, id }) });
      if (reply.code === 250) acceptedIds.push(id);
      return `${reply.code} ${reply.text}`;
    } finally {
      sender.destroy();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Mail in a few sessions at a time until `enough`; the answers. */
async function load(enough: () => boolean): Promise<string[]> {
  const answers: string[] = [];
  const session = async (): Promise<void> => {
    for (let mails = 0; mails < 2_000 && !enough(); mails++) answers.push(await attempt());
  };
  await Promise.all(Array.from({ length: 4 }, session));
  return answers;
}

/** Load that begins before `fault` and goes on until mail has been taken again after it. */
async function loadAround(fault: () => Promise<void>): Promise<string[]> {
  let target = Number.POSITIVE_INFINITY;
  const answers = load(() => acceptedIds.length >= target);
  await sleep(500);
  await fault();
  target = acceptedIds.length + 40;
  return answers;
}

const node = (index: number) => {
  const found = nats.cluster.nodes[index];
  if (found === undefined) throw new Error(`no node ${index}`);
  return found;
};

/** Nothing is lost, and no fault of ours is answered 5xx. */
async function everythingArrives(answers: readonly string[]): Promise<void> {
  expect(answers.filter((answer) => /^5\d\d/.test(answer))).toEqual([]);
  await waitAtRest(cluster, 120_000);
  expect(acceptedIds.filter((id) => nextHop.having(`<${id}@`).length === 0)).toEqual([]);
}

test('every stream has three replicas, and posternctl says so', { timeout: 120_000 }, async () => {
  await vi.waitFor(
    async () => {
      const status = await cluster.ctlJson('status');
      for (const name of ['SPOOL', 'WORK', 'BODIES', 'OUTCOMES', 'TRACE', 'PARKED']) {
        expect(status).toMatchObject({
          streams: expect.arrayContaining([
            expect.objectContaining({ name, replicas: 3, replicasCurrent: 3, sync: 'always' }),
          ]),
        });
      }
    },
    { timeout: 60_000, interval: 1_000 },
  );
});

test.each([0, 1, 2])('node %i killed with -9 under load: nothing lost', { timeout: 300_000 }, async (index) => {
  const answers = await loadAround(async () => {
    await node(index).server.stop('SIGKILL');
  });
  await node(index).restart();
  await everythingArrives(answers);
});

test('a node that stands still and comes back: nothing lost', { timeout: 300_000 }, async () => {
  const { pid } = node(1).server;
  const answers = await loadAround(async () => {
    process.kill(pid, 'SIGSTOP');
    await sleep(5_000);
    process.kill(pid, 'SIGCONT');
  });
  await everythingArrives(answers);
});

test('services that start while the first node is away find the others', { timeout: 300_000 }, async () => {
  await node(0).server.stop('SIGKILL');
  for (const service of ['edge', 'queue', 'delivery', 'policy', 'provisioning']) {
    const pid = await cluster.signal(service, 'SIGKILL');
    await cluster.waitReplaced(service, pid);
    await cluster.waitReady(service);
  }
  const enough = acceptedIds.length + 20;
  const answers = await load(() => acceptedIds.length >= enough);
  await node(0).restart();
  await everythingArrives(answers);
});

test('without a majority nothing is answered 250; with it mail goes on', { timeout: 300_000 }, async () => {
  await Promise.all([node(1).server.stop('SIGKILL'), node(2).server.stop('SIGKILL')]);
  const answers = await Promise.all([attempt(), attempt(), attempt()]);
  for (const answer of answers) expect(answer).not.toMatch(/^(250|5\d\d)/);
  await Promise.all([node(1).restart(), node(2).restart()]);
  const enough = acceptedIds.length + 20;
  const after = await load(() => acceptedIds.length >= enough);
  await everythingArrives(after);
});
