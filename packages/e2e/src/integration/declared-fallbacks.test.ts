/**
 * What goes on while a dependency is silent, as docs/architecture/degradation.md declares it: mail admitted without judgement is marked, limits hold without
 * Redis, first attempts pass PostgreSQL by, a full SPOOL puts mail off, remote mail waits for DNS. The answers alone are in dependencies-away.test.ts.
 */
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { explained, queueIdOf } from './explanation.js';
import { type SpeakOptions, withMailWorld } from './mail-world.js';
import { freeze } from './process-trees.js';

const connectionsPerIp = 6;
const world = withMailWorld({
  // The stream itself shall say that it is full, not the pod that sees it coming.
  config: {
    limits: { connectionsPerIp },
    overload: { storage: 100 },
    provisioning: { streams: { maxBytes: { SPOOL: '1MiB' } } },
  },
});
const patience = { timeout: 90_000, interval: 500 };
const whole = { timeout: 300_000 };

interface Sent {
  readonly answer: string;
  readonly queueId: string;
}

async function send(to: string, id: string, options: SpeakOptions & { readonly size?: number } = {}): Promise<Sent> {
  const from = options.login === undefined ? 'x@good.test' : `${options.login}@acme.test`;
  const sender = await world.speak(options.login === undefined ? 'mx' : 'submissions', options);
  try {
    const data = buildMessage({ from, to, id, ...(options.size === undefined ? {} : { size: options.size }) });
    const reply = await sender.send({ from, to: [to], data });
    return { answer: `${reply.code} ${reply.text}`, queueId: reply.code === 250 ? queueIdOf(reply) : '' };
  } finally {
    sender.destroy();
  }
}

async function whileSilent(name: string, act: () => Promise<void>): Promise<void> {
  const thaw = await freeze(world.cluster, name);
  try {
    await act();
  } finally {
    thaw();
  }
}

const arrived = (id: string, times = 1) =>
  vi.waitFor(() => expect(world.nextHop.having(`<${id}@`)).toHaveLength(times), patience);

test('policy silent, admitted by the operator: taken, marked unjudged, and no relay', whole, async () => {
  await world.reconfigure({ admitWhenPolicyAway: true });
  let sent: Sent = { answer: '', queueId: '' };
  await whileSilent('policy', async () => {
    await vi.waitFor(async () => {
      sent = await send('bob@acme.test', 'unjudged');
      expect(sent.answer).toMatch(/^250 /);
    }, patience);
    expect((await send('victim@elsewhere.test', 'relay')).answer).toMatch(/^550 5\.7\.1 /);
    await arrived('unjudged');
  });
  await explained(world.cluster, sent.queueId, /"unjudged":\s*"true"/);
  await world.reconfigure({});
  await vi.waitFor(async () => {
    const judged = await send('bob@acme.test', 'judged');
    expect(judged.answer).toMatch(/^250 /);
    expect(await explained(world.cluster, judged.queueId, 'delivered')).not.toMatch(/"unjudged":\s*"true"/);
  }, patience);
});

test('Redis silent: an address gets its connections and not one more', whole, async () => {
  const port = await world.cluster.port('mx');
  const localAddress = '127.0.0.9';
  await whileSilent('redis', async () => {
    const held: SmtpSender[] = [];
    try {
      for (let count = 0; count < connectionsPerIp; count++) held.push(await world.speak('mx', { localAddress }));
      const refused = await SmtpSender.open({ port, localAddress });
      held.push(refused);
      expect((await refused.reply()).code).toBe(421);
    } finally {
      for (const sender of held) sender.destroy();
    }
  });
});

test.each(['200ms', '500ms'])(
  'Redis silent: greylist puts off as whenAway says, simulated too (%s)',
  whole,
  async (timeout) => {
    const greylist = { enabled: true, whenAway: 'defer', timeout };
    await world.reconfigure({ checks: { greylist } });
    await vi.waitFor(
      async () => expect((await send('bob@acme.test', 'greylisted')).answer).toMatch(/^451 4\.7\.1 /),
      patience,
    );
    await whileSilent('redis', async () => {
      expect((await send('bob@acme.test', 'grey-away')).answer).toMatch(/^451 4\.3\.0 Please try again later/);
      const described = [
        '--client',
        '127.0.0.1',
        '--helo',
        'client.test',
        '--from',
        'x@good.test',
        '--to',
        'bob@acme.test',
      ];
      const { stdout } = await world.cluster.ctl('simulate', '--no-tls', ...described);
      expect(stdout).toMatch(/451 4\.3\.0 Please try again later/);
    });
    await world.reconfigure({});
    await vi.waitFor(
      async () => expect((await send('bob@acme.test', 'greylist-off')).answer).toMatch(/^250 /),
      patience,
    );
  },
);

test(
  'PostgreSQL silent: a first attempt arrives, a deferral waits and arrives later, a change is refused',
  whole,
  async () => {
    await whileSilent('postgres', async () => {
      expect((await send('bob@acme.test', 'first-attempt')).answer).toMatch(/^250 /);
      await arrived('first-attempt');
      await world.nextHop.close();
      expect((await send('bob@acme.test', 'waits-in-outcomes')).answer).toMatch(/^250 /);
      const change = await world.cluster.ctl('--timeout', '5s', 'user', 'add', 'erin@acme.test', '--no-login');
      expect(change.code).not.toBe(0);
      expect(change.stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
    });
    await world.nextHop.open();
    await arrived('waits-in-outcomes');
  },
);

test('SPOOL full: 452 4.3.1, and 250 when there is room again', whole, async () => {
  const taken: string[] = [];
  let number = 0;
  const next = async (): Promise<string> => {
    const id = `full-${++number}`;
    const { answer } = await send('bob@acme.test', id, { size: 100_000 });
    if (answer.startsWith('250')) taken.push(id);
    return answer;
  };
  await whileSilent('queue', async () => {
    await vi.waitFor(async () => expect(await next()).toMatch(/^452 4\.3\.1 /), { timeout: 60_000, interval: 10 });
    expect(taken.length).toBeGreaterThan(3);
  });
  await vi.waitFor(async () => expect(await next()).toMatch(/^250 /), patience);
  for (const id of taken) await arrived(id);
});

test.each(['queue', 'delivery'])('%s silent: mail is taken and waits in the streams', whole, async (name) => {
  await whileSilent(name, async () => {
    expect((await send('bob@acme.test', `while-${name}`)).answer).toMatch(/^250 /);
    expect(world.nextHop.having(`<while-${name}@`)).toEqual([]);
  });
  await arrived(`while-${name}`);
});

test('DNS silent: remote mail is deferred; a domain that does not exist is told to its sender', whole, async () => {
  await world.reconfigure({ remoteDelivery: true });
  world.dns.script('*', { kind: 'servfail' });
  try {
    let sent: Sent = { answer: '', queueId: '' };
    await vi.waitFor(async () => {
      sent = await send('friend@far.test', `remote-${Date.now()}`, { login: 'bob' });
      expect(sent.answer).toMatch(/^250 /);
      await explained(world.cluster, sent.queueId, /deferred/i);
    }, patience);
    world.dns.script('*', undefined);
    await explained(world.cluster, sent.queueId, /bounced/i);
    await vi.waitFor(
      () =>
        expect(
          world.nextHop.messages.filter(({ reversePath, data }) => reversePath === '' && data.includes('far.test')),
        ).not.toEqual([]),
      patience,
    );
  } finally {
    world.dns.script('*', undefined);
    await world.reconfigure({});
  }
});

test('at the end the ledger is at rest', { timeout: 180_000 }, async () => {
  await waitAtRest(world.cluster, 120_000);
});
