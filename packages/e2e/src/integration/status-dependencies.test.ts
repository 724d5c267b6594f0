/** `posternctl status` tells what each service sees of what it depends on: Redis, DNS, another service, one that does not answer. */
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';
import { freeze } from './process-trees.js';

// So that what a small cluster uses of its heap is a share worth naming.
const world = withMailWorld({ edges: 2, environment: { NODE_OPTIONS: '--max-old-space-size=256' } });
const patience = { timeout: 60_000, interval: 300 };

const status = async (): Promise<string> => (await world.cluster.ctl('status')).stdout;

async function shows(...lines: readonly RegExp[]): Promise<void> {
  await vi.waitFor(async () => {
    const text = await status();
    for (const line of lines) expect(text).toMatch(line);
  }, patience);
}

const well = [
  /^edge +nats, redis, policy, provisioning, listeners, certificates, load +ok$/m,
  /^policy +nats, redis, dns +ok$/m,
  /^queue +nats, postgres, egress pools +ok$/m,
  /^delivery +nats, redis, dns, egress pools +ok$/m,
];

test('all is well: one line a service', { timeout: 120_000 }, () => shows(...well));

test('Redis silent: every service that uses it says so, and that it is back', { timeout: 200_000 }, async () => {
  const thaw = await freeze(world.cluster, 'redis');
  try {
    await shows(
      /^edge +redis +away +2 of 2 processes: \S.*; each process keeps limits and bans by itself$/m,
      /^policy +redis +away +\S/m,
      /^delivery +redis +away +\S/m,
      /^edge +nats, policy, provisioning, listeners, certificates, load +ok$/m,
    );
  } finally {
    thaw();
  }
  await shows(...well);
});

test('DNS silent or failing: those that ask it say so', { timeout: 200_000 }, async () => {
  world.dns.script('*', { kind: 'timeout' });
  await shows(/^policy +dns +away +no server answered in/m, /^delivery +dns +away +no server answered in/m);
  world.dns.script('*', { kind: 'servfail' });
  await shows(/^policy +dns +degraded +the servers answer servfail$/m);
  world.dns.script('*', undefined);
  await shows(...well);
});

test('policy silent: edges see no pod, and the pod does not answer', { timeout: 200_000 }, async () => {
  const thaw = await freeze(world.cluster, 'policy');
  try {
    await shows(/^policy +no answer +none of its processes runs/m);
  } finally {
    thaw();
  }
  await shows(...well);
});

test('edges too busy for mail say whom they put off', { timeout: 120_000 }, async () => {
  await world.reconfigure({ overload: { heap: 1 } });
  await shows(/^edge +load +degraded +2 of 2 processes: too busy \(heap\): (?:strangers are|everybody is) put off$/m);
  await world.reconfigure({});
  await shows(...well);
});
