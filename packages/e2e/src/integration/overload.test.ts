/**
 * A pod with too much to do takes less mail, the least trusted first, with 421 and 452 4.3.1, and takes it again by itself (row C8). Each reading is driven
 * over its mark for real: SPOOL filled behind a silent queue, a store that hangs, an event loop that is held up, a heap and a memory beyond what is allowed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { afterEach, expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { logOf } from '../fuzz/cluster-files.js';
import { withMailWorld } from './mail-world.js';
import { freeze } from './process-trees.js';

const storage = 50;
const marks = { storage, spoolLatency: '1s' };
const spoolBytes = 4 * 1_048_576;
const world = withMailWorld({
  config: {
    overload: marks,
    provisioning: { streams: { maxBytes: { SPOOL: '4MiB' } } },
    edge: { memoryLimit: '512MiB' },
  },
  // So that what a small cluster uses is a share worth naming.
  environment: { NODE_OPTIONS: '--max-old-space-size=256' },
});
const whole = { timeout: 180_000 };
const patience = { timeout: 60_000, interval: 250 };

const ends: (() => void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  await world.reconfigure({});
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^220 /), patience);
}, 90_000);

/** What a stranger hears on port 25, banner or refusal. */
async function stranger(): Promise<string> {
  const sender = await SmtpSender.open({ port: await world.cluster.port('mx') });
  const { code, text } = await sender.reply();
  sender.destroy();
  return `${code} ${text}`;
}

let number = 0;
const taken: string[] = [];

async function submit(size: number): Promise<string> {
  const id = `overload-${++number}`;
  const sender = await world.speak('submissions', { login: 'bob' });
  try {
    const data = buildMessage({ from: 'bob@acme.test', to: 'carol@acme.test', id, size });
    const { code, text } = await sender.send({ from: 'bob@acme.test', to: ['carol@acme.test'], data });
    if (code === 250) taken.push(id);
    return `${code} ${text}`;
  } finally {
    sender.destroy();
  }
}

interface Shedding {
  readonly shed: string;
  readonly reason: string;
}

function isShedding(line: unknown): line is Shedding {
  return typeof line === 'object' && line !== null && 'shed' in line && 'reason' in line;
}

/** Whom the edge has shed since the mark, in order, by its log. */
async function sheddings(since: number): Promise<string[]> {
  const lines = (await logOf(world.cluster, 'edge-0')).slice(since).split('\n');
  return lines
    .filter((line) => line.includes('"edge.overload.changed"'))
    .map((line): unknown => JSON.parse(line))
    .filter(isShedding)
    .map(({ shed, reason }) => `${shed} ${reason}`);
}

const logged = async (): Promise<number> => (await logOf(world.cluster, 'edge-0')).length;

async function recovered(since: number): Promise<void> {
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^220 /), patience);
  await vi.waitFor(async () => expect((await sheddings(since)).at(-1)).toBe('nobody over'), patience);
}

async function spoolShare(): Promise<number> {
  const status = await world.cluster.ctlJson('status');
  const streams =
    typeof status === 'object' && status !== null && 'streams' in status && Array.isArray(status.streams)
      ? status.streams
      : [];
  const spool = streams.find((stream: { readonly name?: string }) => stream.name === 'SPOOL');
  return (100 * Number(spool?.bytes)) / spoolBytes;
}

test('storage full: strangers first, those who log in later, everybody again when there is room', whole, async () => {
  const since = await logged();
  const early = await world.speak('mx');
  ends.push(() => early.destroy());
  const thaw = await freeze(world.cluster, 'queue');
  ends.push(thaw);
  // Well below the mark without looking.
  for (let first = 0; first < 18; first++) expect(await submit(90_000)).toMatch(/^250 /);
  while ((await spoolShare()) < storage) expect(await submit(90_000)).toMatch(/^250 /);
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^421 4\.3\.1 /), patience);
  const mail = await early.command('MAIL FROM:<x@good.test>');
  expect(`${mail.code} ${mail.text}`).toMatch(/^452 4\.3\.1 /);
  expect(await submit(100)).toMatch(/^250 /);
  expect(await sheddings(since)).toEqual(['strangers storage']);

  for (let more = 0; more < 2; more++) expect(await submit(60_000)).toMatch(/^250 /);
  await vi.waitFor(
    async () => expect(await sheddings(since)).toEqual(['strangers storage', 'everybody storage']),
    patience,
  );
  const user = await world.speak('submissions', { login: 'bob' }).catch((error: unknown) => String(error));
  expect(user).toMatch(/421 4\.3\.1 /);
  thaw();
  await recovered(since);
  expect(await submit(100)).toMatch(/^250 /);
});

test('a durable write that hangs: strangers first; what was under way is stored after all', whole, async () => {
  const since = await logged();
  const thaw = await freeze(world.cluster, 'nats');
  ends.push(thaw);
  const hanging = submit(100);
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^421 4\.3\.1 /), { timeout: 20_000, interval: 50 });
  thaw();
  expect(await hanging).toMatch(/^250 /);
  await recovered(since);
  expect(await sheddings(since)).toContain('strangers spool latency');
});

test('an event loop that is held up', whole, async () => {
  const since = await logged();
  // Readings are means over half a second: most of it must be held up, on a slow machine too.
  await world.reconfigure({ overload: { ...marks, loopDelay: '80ms' } });
  const [edge = 0] = await world.cluster.pids('edge');
  let holding = true;
  ends.push(() => {
    holding = false;
    process.kill(edge, 'SIGCONT');
  });
  const held = (async () => {
    while (holding) {
      process.kill(edge, 'SIGSTOP');
      await sleep(600);
      process.kill(edge, 'SIGCONT');
      await sleep(40);
    }
  })();
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^421 4\.3\.1 /), patience);
  const told = expect.stringMatching(/^(strangers|everybody) event loop$/);
  await vi.waitFor(async () => expect(await sheddings(since)).toContainEqual(told), patience);
  holding = false;
  await held;
  await recovered(since);
});

test.each(['heap', 'memory'])('%s beyond its mark', whole, async (reading) => {
  const since = await logged();
  await world.reconfigure({ overload: { ...marks, [reading]: 5 } });
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^421 4\.3\.1 /), patience);
  const told = expect.stringMatching(new RegExp(`^(strangers|everybody) ${reading}$`));
  // The client may hear it before the line is in the file.
  await vi.waitFor(async () => expect(await sheddings(since)).toContainEqual(told), patience);
  await world.reconfigure({});
  await recovered(since);
});

const edgeProbe = async (path: string): Promise<Response> => {
  const { services } = await world.cluster.run();
  return fetch(new URL(path, services.find(({ name }) => name === 'edge')?.metrics));
};
const edgeMetric = async (name: string): Promise<number> => {
  const text = await (await edgeProbe('/metrics')).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
};

test('a pod that has had nothing for anybody for a while asks for no connections until it has', whole, async () => {
  const since = await logged();
  await world.reconfigure({ overload: { ...marks, heap: 1 } });
  await vi.waitFor(async () => expect((await edgeProbe('/readyz')).status).toBe(503), patience);
  expect(await (await edgeProbe('/readyz')).text()).toBe('too busy (heap): everybody is put off\n');
  expect(JSON.stringify(await world.cluster.ctlJson('status'))).toContain('too busy (heap): everybody is put off');
  await world.reconfigure({});
  await recovered(since);
  expect((await edgeProbe('/readyz')).status).toBe(200);
});

test('memory that clients let go of is free within seconds', whole, async () => {
  const since = await logged();
  const clients: SmtpSender[] = [];
  const leave = (): void => {
    for (const client of clients.splice(0)) client.destroy();
  };
  ends.push(leave);
  const body = `Subject: long\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(110)}`;
  const idle = Math.ceil(100 * (await edgeMetric('postern_edge_memory_ratio')));
  await world.reconfigure({ overload: { ...marks, memory: idle + 5 } });
  /** In DATA, with a body that does not end. */
  const hold = async (): Promise<void> => {
    const client = await world.speak('mx').catch(() => undefined);
    if (client === undefined) return;
    clients.push(client);
    for (const line of ['MAIL FROM:<x@plain.test>', 'RCPT TO:<any@open.test>', 'DATA'])
      if ((await client.command(line)).code >= 400) return;
    client.write(body);
  };
  while (clients.length < 1_000 && (await sheddings(since)).length === 0)
    await Promise.all(Array.from({ length: 20 }, hold));
  await vi.waitFor(async () => expect(await sheddings(since)).not.toEqual([]), patience);
  expect((await sheddings(since))[0]).toMatch(/^(strangers|everybody) memory$/);
  const leftAt = performance.now();
  leave();
  await vi.waitFor(async () => expect(await stranger()).toMatch(/^220 /), { timeout: 60_000, interval: 100 });
  expect((performance.now() - leftAt) / 1_000).toBeLessThan(10);
  expect(await edgeMetric('postern_edge_memory_collection_seconds_count')).toBeGreaterThan(0);
});

test('nothing that was taken is lost, and nothing was answered 5xx', whole, async () => {
  await vi.waitFor(() => {
    const arrived = new Set(world.nextHop.messages.map(({ data }) => /<(overload-\d+)@/.exec(data.toString())?.[1]));
    expect(taken.filter((id) => !arrived.has(id))).toEqual([]);
  }, patience);
  const { services } = await world.cluster.run();
  const metrics = await (
    await fetch(new URL('/metrics', services.find(({ name }) => name === 'edge')?.metrics))
  ).text();
  expect(metrics).toMatch(/postern_edge_messages_total\{reply_class="5xx"\} 0/);
  expect(metrics).toMatch(/postern_edge_overloaded 0/);
  expect(metrics).toMatch(/postern_edge_connections_total\{outcome="overload"\} [1-9]/);
  await waitAtRest(world.cluster, 60_000);
});
