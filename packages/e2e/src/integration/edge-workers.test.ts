/**
 * A pod of several processes (row C6): load makes workers, rest takes them away, kill -9 of one under load loses nothing and counts on, limits hold over
 * all of them and a dead one's share comes back, SIGTERM drains every one. Seen from outside: SMTP, /workers, /metrics, posternctl.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { withMailWorld } from './mail-world.js';

interface Worker {
  readonly number: number;
  readonly pid: number;
  readonly state: string;
  readonly ready: boolean;
}

const patience = { timeout: 60_000, interval: 200 };
const whole = { timeout: 240_000 };

function isWorkers(value: unknown): value is Worker[] {
  return Array.isArray(value) && value.every((one: unknown) => typeof one === 'object' && one !== null && 'pid' in one);
}

type World = ReturnType<typeof withMailWorld>;

async function ask(world: World, path: string): Promise<Response> {
  const { services } = await world.cluster.run();
  const edge = services.find(({ name }) => name === 'edge');
  return fetch(new URL(path, edge?.metrics));
}

async function serving(world: World): Promise<Worker[]> {
  const workers: unknown = await (await ask(world, '/workers')).json();
  return isWorkers(workers) ? workers.filter(({ ready }) => ready) : [];
}

async function accepted(world: World): Promise<number> {
  const text = await (await ask(world, '/metrics')).text();
  return Number(/postern_edge_messages_total\{reply_class="2xx"\} (\d+)/.exec(text)?.[1]);
}

const opened: SmtpSender[] = [];
const keep = (sender: SmtpSender): SmtpSender => {
  opened.push(sender);
  return sender;
};
afterEach(() => {
  for (const sender of opened.splice(0)) sender.destroy();
});

/** Clients that send one message after another, on new connections, until they are told to stop; the ids of what was taken. */
function startLoad(world: World, clients: number) {
  const taken: string[] = [];
  const permanent: string[] = [];
  let stopped = false;
  let count = 0;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const id = `load-${++count}`;
      const letter = { from: 'x@good.test', to: 'bob@acme.test' };
      try {
        const sender = await world.speak('mx', { timeoutMs: 20_000 });
        const data = buildMessage({ ...letter, id, size: 20_000 });
        const { code, text } = await sender.send({ from: letter.from, to: [letter.to], data });
        if (code === 250) taken.push(id);
        else if (code >= 500) permanent.push(`${code} ${text}`);
        sender.destroy();
      } catch {
        // The connection of a worker that was killed; a client comes back.
        await sleep(50);
      }
    }
  };
  const runs = Array.from({ length: clients }, run);
  return {
    taken,
    permanent,
    stop: async (): Promise<void> => {
      stopped = true;
      await Promise.all(runs);
    },
  };
}

describe('between one worker and two', () => {
  const world = withMailWorld({
    config: {
      edge: { workers: { min: 1, max: 2, growAt: 0.1, shrinkAt: 0.05, growAfter: '1s', shrinkAfter: '3s' } },
      checks: Object.fromEntries(['spf', 'dkim', 'dmarc'].map((check) => [check, { enabled: false }])),
    },
  });

  test('load makes a second, a killed one is replaced, nothing is lost, rest leaves one', whole, async () => {
    expect(await serving(world)).toHaveLength(1);
    const load = startLoad(world, 6);
    const counts: number[] = [];
    try {
      await vi.waitFor(async () => expect(await serving(world)).toHaveLength(2), patience);
      const status = await world.cluster.ctl('status');
      expect(status.stdout).toMatch(/edge-0 worker 2 +ready/);
      for (let round = 0; round < 2; round++) {
        const [victim] = await serving(world);
        const before = load.taken.length;
        process.kill(victim?.pid ?? 0, 'SIGKILL');
        await vi.waitFor(async () => {
          counts.push(await accepted(world));
          const now = await serving(world);
          expect(now).toHaveLength(2);
          expect(now.map(({ pid }) => pid)).not.toContain(victim?.pid);
          expect(load.taken.length).toBeGreaterThan(before + 20);
        }, patience);
      }
    } finally {
      await load.stop();
    }
    expect(load.permanent).toEqual([]);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    // What a killed worker counted since it was last asked is gone with it, at most five seconds of its work.
    expect(await accepted(world)).toBeGreaterThan(load.taken.length / 4);
    await vi.waitFor(() => {
      const arrived = new Set(world.nextHop.messages.map(({ data }) => /<(load-\d+)@/.exec(data.toString())?.[1]));
      expect(load.taken.filter((id) => !arrived.has(id))).toEqual([]);
    }, patience);
    await vi.waitFor(async () => expect(await serving(world)).toHaveLength(1), patience);
    await waitAtRest(world.cluster, 60_000);
  });
});

describe('two workers', () => {
  const total = 16;
  const world = withMailWorld({
    config: { edge: { workers: { min: 2, max: 2 } }, limits: { connections: total } },
  });

  /** Opens until one is refused; those that were greeted. */
  async function fill(): Promise<SmtpSender[]> {
    const greeted: SmtpSender[] = [];
    const port = await world.cluster.port('mx');
    for (let tries = 0; tries < total * 2; tries++) {
      const sender = keep(await SmtpSender.open({ port }));
      if ((await sender.reply()).code === 220) greeted.push(sender);
    }
    return greeted;
  }

  test('a limit holds over both, and the share of a killed one is free again within 25 s', whole, async () => {
    const held = await fill();
    expect(held).toHaveLength(total);
    // A store that has just begun is not asked yet.
    await vi.waitFor(async () => {
      const shown = JSON.stringify(await world.cluster.ctlJson('limit', 'show', '127.0.0.1'));
      expect(shown).toMatch(new RegExp(`"used":"?${total}\\b`));
    }, patience);
    const [victim] = await serving(world);
    const killedAt = performance.now();
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    const answers = await Promise.all(
      held.map((sender) =>
        sender.command('NOOP').then(
          ({ code }) => code,
          () => 0,
        ),
      ),
    );
    const lost = answers.filter((code) => code !== 250).length;
    // The kernel gave each of them a part.
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(total);
    let regained = 0;
    await vi.waitFor(
      async () => {
        regained += (await fill()).length;
        expect(regained).toBe(lost);
      },
      { timeout: 40_000, interval: 1_000 },
    );
    expect(performance.now() - killedAt).toBeLessThan(27_000);
  });

  test('SIGTERM: idle sessions hear 421, a transaction under way is finished, the pod ends with 0', whole, async () => {
    for (const sender of opened.splice(0)) sender.destroy();
    await vi.waitFor(async () => expect(await serving(world)).toHaveLength(2), patience);
    const senders = await Promise.all(
      Array.from({ length: 4 }, () =>
        vi.waitFor(async () => keep(await world.speak('mx', { timeoutMs: 30_000 })), patience),
      ),
    );
    const [idle, ...busy] = senders;
    for (const sender of busy) {
      await sender.command('MAIL FROM:<x@good.test>');
      await sender.command('RCPT TO:<bob@acme.test>');
      expect((await sender.command('DATA')).code).toBe(354);
    }
    const pid = await world.cluster.signal('edge', 'SIGTERM');
    expect((await idle?.reply())?.code).toBe(421);
    for (const [index, sender] of busy.entries()) {
      sender.write(`From: x@good.test\r\nMessage-ID: <drained-${index}@good.test>\r\n\r\nx\r\n.\r\n`);
      expect((await sender.reply()).code).toBe(250);
    }
    await world.cluster.waitReplaced('edge', pid);
    expect(world.cluster.output()).toContain(`edge-0 (pid ${pid}) ended by itself (exit code 0)`);
    await vi.waitFor(() => {
      for (const index of busy.keys()) expect(world.nextHop.having(`<drained-${index}@`)).toHaveLength(1);
    }, patience);
  });

  test('kill -9 of the supervisor: its workers finish and end, the next one serves with its own', whole, async () => {
    await vi.waitFor(async () => expect(await serving(world)).toHaveLength(2), patience);
    const before = (await serving(world)).map(({ pid }) => pid);
    const sender = keep(await world.speak('mx', { timeoutMs: 30_000 }));
    await sender.command('MAIL FROM:<x@good.test>');
    await sender.command('RCPT TO:<bob@acme.test>');
    expect((await sender.command('DATA')).code).toBe(354);
    const pid = await world.cluster.signal('edge', 'SIGKILL');
    sender.write('From: x@good.test\r\nMessage-ID: <orphaned@good.test>\r\n\r\nx\r\n.\r\n');
    expect((await sender.reply()).code).toBe(250);
    await world.cluster.waitReplaced('edge', pid);
    await vi.waitFor(async () => {
      for (const old of before) expect(() => process.kill(old, 0)).toThrow();
      expect(await serving(world)).toHaveLength(2);
      expect(world.nextHop.having('<orphaned@')).toHaveLength(1);
    }, patience);
  });
});
