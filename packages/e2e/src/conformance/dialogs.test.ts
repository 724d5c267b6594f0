/**
 * Every dialog of `packages/e2e/conformance` against the real edge of a whole cluster, one after another, so that what the next hop took belongs to
 * the dialog that ran. The same files run against the edge over doubles in its unit tests. How they are written: `@postern/testkit/smtp`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ulidTime } from '@postern/clock';
import { RawClient, readDialog, runDialog } from '@postern/testkit/smtp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, projectRoot, startCluster } from '../cluster/index.js';
import { type NextHopServer, reserveNextHop } from '../integration/next-hop-server.js';
import { type ConformanceListener, common, conformanceConfig, reserveListeners } from './conformance-config.js';

/** In the Received field we add. */
const queuedAs = /\bid ([0-9A-HJKMNP-TV-Z]{26})\b/;
const folder = join(projectRoot, 'packages/e2e/conformance');
let cluster: Cluster;
let nextHop: NextHopServer;
let listeners: ReadonlyMap<string, ConformanceListener>;

beforeAll(async () => {
  nextHop = await reserveNextHop();
  await nextHop.open();
  listeners = await reserveListeners();
  cluster = await startCluster({ config: conformanceConfig(nextHop.port, listeners) });
  const made = new Map(listeners);
  for (const name of common) made.set(name, { role: name, settings: {}, port: await cluster.port(name) });
  listeners = made;
  expect((await cluster.ctl('tenant', 'suspend', 'gone')).code).toBe(0);
  await vi.waitFor(() => runDialog(readDialog(join(folder, 'rfc5321/suspended-tenant.smtp')), groundOf()), {
    timeout: 10_000,
    interval: 200,
  });
}, 300_000);

afterAll(async () => {
  await cluster?.stop();
  await nextHop?.close();
}, 120_000);

/** Mail of the dialog before may still be on its way: what belongs to this one has a queue id made since it began. */
function groundOf() {
  const begunMs = Date.now();
  const own = () =>
    nextHop.messages.filter(({ data }) => {
      const [, id] = queuedAs.exec(data.toString('latin1')) ?? [];
      return (ulidTime(id ?? '') ?? 0) >= begunMs;
    });
  return {
    connect: async (name: string): Promise<RawClient> => {
      const listener = listeners.get(name);
      if (listener === undefined) throw new Error(`no listener ${name}`);
      return RawClient.open(listener.port, listener.role === 'submissions');
    },
    stored: async (expected: number): Promise<number> => {
      const taken = (): number => own().length;
      // Enough, or time for one too many.
      await vi
        .waitFor(() => expect(taken()).toBeGreaterThanOrEqual(expected), { timeout: 20_000, interval: 20 })
        .catch(() => undefined);
      return taken();
    },
    lastBody: async () => own().at(-1)?.data ?? Buffer.alloc(0),
  };
}

test.each(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.smtp'))
    .sort(),
)('%s', async (file) => {
  await runDialog(readDialog(join(folder, file)), groundOf());
});
