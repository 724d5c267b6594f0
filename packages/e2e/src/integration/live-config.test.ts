/** A change of configuration works on every edge within two seconds, without a restart: by posternctl and by the operator's file. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const edges = 2;
const world = withMailWorld({ edges });

/** The reply of one edge to a mail for this recipient. */
async function answer(edge: number, to: string): Promise<string> {
  const sender = await world.speak('mx', { edge });
  try {
    const from = 'x@good.test';
    const reply = await sender.send({ from, to: [to], data: buildMessage({ from, to }) });
    return `${reply.code} ${reply.text}`;
  } finally {
    sender.destroy();
  }
}

async function logsIn(edge: number, login: string, password: string): Promise<boolean> {
  const sender = await world.speak('submission', { edge });
  try {
    return (await sender.auth(login, password)).code === 235;
  } finally {
    sender.destroy();
  }
}

/** Milliseconds until every edge answers as wanted; asked again and again, ten seconds at most. */
async function untilEverywhere(holds: (edge: number) => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  for (let edge = 0; edge < edges; ) {
    if (await holds(edge)) edge++;
    else if (performance.now() - startedAt > 10_000) throw new Error(`edge ${edge} does not know it after 10 s`);
    else await delay(20);
  }
  return performance.now() - startedAt;
}

async function ctl(...args: string[]): Promise<void> {
  const result = await world.cluster.ctl(...args);
  expect(`${result.code} ${result.stderr}`).toBe('0 ');
}

const refused = (text: string) => text.startsWith('550 ');
const taken = (text: string) => text.startsWith('250 ');

test('a domain and a user made by posternctl receive and log in', async () => {
  const address = 'erin@new.test';
  for (let edge = 0; edge < edges; edge++) expect(await answer(edge, address)).toMatch(/^550 5\.7\.1 /);
  await ctl('domain', 'add', 'new.test', '--tenant', 'acme', '--next-hop', 'hop', '--assume-verified');
  expect(await untilEverywhere(async (edge) => (await answer(edge, address)).startsWith('550 5.1.1'))).toBeLessThan(
    2_000,
  );
  const passwordFile = join(world.cluster.dataDir, 'erin.password');
  await writeFile(passwordFile, 'a long enough secret\n');
  await ctl('user', 'add', address, '--password-file', passwordFile);
  expect(await untilEverywhere(async (edge) => taken(await answer(edge, address)))).toBeLessThan(2_000);
  for (let edge = 0; edge < edges; edge++) expect(await logsIn(edge, address, 'a long enough secret')).toBe(true);
});

test('a user disabled by posternctl neither receives nor logs in', async () => {
  expect(await answer(0, 'dave@acme.test')).toMatch(/^250 /);
  await ctl('user', 'disable', 'dave@acme.test');
  expect(await untilEverywhere(async (edge) => refused(await answer(edge, 'dave@acme.test')))).toBeLessThan(2_000);
  await ctl('user', 'enable', 'dave@acme.test');
  expect(await untilEverywhere(async (edge) => taken(await answer(edge, 'dave@acme.test')))).toBeLessThan(2_000);
});

test('a change of the operator file works, a bad one is refused and the old one stays', async () => {
  expect(await answer(0, 'bob@acme.test')).toMatch(/^250 /);
  const local = { level: 'global', priority: 1, network: '127.0.0.77/32', action: 'deny' };
  const denied = async (edge: number) => {
    const sender = await world.speak('mx', { edge, localAddress: '127.0.0.77' }).catch(() => undefined);
    sender?.destroy();
    return sender === undefined;
  };
  expect(await denied(0)).toBe(false);
  await world.reconfigure({ access: [local] });
  expect(await untilEverywhere(denied)).toBeLessThan(2_000);
  await world.reconfigure({ access: [{ ...local, network: 'nonsense' }], limits: { messageSize: 'huge' } });
  // The next good change is applied after the bad one was read; all the while the old one holds.
  const size = async (edge: number) => {
    const sender = await world.speak('mx', { edge });
    const offered = (await sender.command('EHLO client.test')).lines;
    sender.destroy();
    return offered.includes('SIZE 2097152');
  };
  expect(await denied(0)).toBe(true);
  await world.reconfigure({ access: [local], limits: { messageSize: '2MiB' } });
  expect(await untilEverywhere(size)).toBeLessThan(2_000);
  expect(await denied(1)).toBe(true);
  await world.reconfigure({});
  expect(await untilEverywhere(async (edge) => !(await denied(edge)))).toBeLessThan(2_000);
});

test('provisioning started anew while the file is wrong goes on with the one before; mended, the file holds', {
  timeout: 120_000,
}, async () => {
  await world.reconfigure({ limits: { messageSize: 'huge' } });
  const pid = await world.cluster.signal('provisioning', 'SIGKILL');
  await world.cluster.waitReplaced('provisioning', pid);
  const passwordFile = join(world.cluster.dataDir, 'anew.password');
  await writeFile(passwordFile, 'made meanwhile');
  await ctl('user', 'add', 'anew@acme.test', '--password-file', passwordFile);
  await untilEverywhere(async (edge) => logsIn(edge, 'anew@acme.test', 'made meanwhile'));
  const shown = async (): Promise<string> => (await world.cluster.ctl('status')).stdout;
  expect(await shown()).toMatch(/The operator file was refused .*\n .*limits\.messageSize: "huge"/);
  expect(world.cluster.output()).toContain('the operator settings were refused');
  await world.reconfigure({});
  await vi.waitFor(async () => expect(await shown()).not.toContain('refused'), { timeout: 15_000, interval: 200 });
});

test('what services read at their start alone is told by status and on the console, and the rest of the file holds at once', async () => {
  const status = async () => (await world.cluster.ctl('status')).stdout;
  const waits = /^Changed in the operator file, and in effect after the next start only; .*\n {2}\S+:\d+: edge$/m;
  expect(await status()).not.toMatch(waits);
  await world.reconfigure({
    edge: { maxHops: 7 },
    listeners: { partners: { role: 'mx' } },
    limits: { messageSize: '3MiB' },
  });
  const size = async (edge: number) => {
    const sender = await world.speak('mx', { edge });
    const offered = (await sender.command('EHLO client.test')).lines;
    sender.destroy();
    return offered.includes(`SIZE ${3 * 1_048_576}`);
  };
  expect(await untilEverywhere(size)).toBeLessThan(2_000);
  await vi.waitFor(async () => expect(await status()).toMatch(waits), { timeout: 10_000, interval: 200 });
  expect(await status()).toMatch(
    /^edge +listeners +degraded +2 of 2 processes: listeners\.partners: no port; name it in/m,
  );
  await world.reconfigure({});
  await vi.waitFor(async () => expect(await status()).not.toMatch(waits), { timeout: 10_000, interval: 200 });
  expect(await status()).toMatch(/^edge +.*listeners.* +ok$/m);
});

test('an id of a rule means one rule, in the file or saved: the later is refused, and what holds goes on', async () => {
  const rule = (id: string, text: string) => ({
    ...{ id, event: 'rcpt', when: 'recipient.user == "bob"' },
    ...Object.fromEntries([['then', [{ reject: { text } }]]]),
  });
  /** Whether the file in effect is the one on disk. */
  const fileState = async (): Promise<string | undefined> => {
    const { services } = await world.cluster.run();
    const metrics = services.find(({ name }) => name === 'provisioning')?.metrics ?? '';
    const text = await (await fetch(new URL('/metrics', metrics))).text();
    return /^postern_provisioning_operator_file_state (\d)/m.exec(text)?.[1];
  };
  const says = (text: string) => async (edge: number) => (await answer(edge, 'bob@acme.test')).includes(text);
  await world.reconfigure({ rules: [rule('one', 'by the file')] });
  await untilEverywhere(says('by the file'));
  const file = join(world.cluster.dataDir, 'one.yaml');
  await writeFile(file, JSON.stringify({ ...rule('one', 'saved'), id: undefined }));
  const saved = await world.cluster.ctl('rule', 'put', 'one', file);
  expect(saved.code).toBe(1);
  expect(saved.stderr).toContain('rule.id: "one" is not allowed; expected an id that no rule of the operator file has');
  await ctl('rule', 'put', 'two', file);
  await world.reconfigure({ rules: [rule('two', 'never')] });
  await vi.waitFor(async () => expect(await fileState()).toBe('0'), { timeout: 10_000, interval: 50 });
  expect(await says('by the file')(0)).toBe(true);
  await world.reconfigure({ rules: [rule('three', 'the third')] });
  await ctl('rule', 'delete', 'two');
  await untilEverywhere(says('the third'));
  await world.reconfigure({});
  await untilEverywhere(async (edge) => taken(await answer(edge, 'bob@acme.test')));
});

test("mail for postmaster without a domain is the operator's, whatever domains there are", {
  timeout: 60_000,
}, async () => {
  const goesTo = async (): Promise<string | undefined> => {
    const queueId = /queued as (\S+)/.exec(await answer(0, 'postmaster'))?.[1] ?? '';
    const to = async () => /^ {2}to <(.+?)>/m.exec((await world.cluster.ctl('trace', queueId)).stdout)?.[1];
    return vi.waitFor(async () => (await to()) ?? Promise.reject(new Error('not traced yet')), { timeout: 5_000 });
  };
  const becomes = (address: string) =>
    vi.waitFor(async () => expect(await goesTo()).toBe(address), { timeout: 15_000, interval: 100 });
  const add = async (name: string) => {
    await ctl('domain', 'add', name, '--tenant', 'acme', '--next-hop', 'hop', '--assume-verified');
    await untilEverywhere(async (edge) => (await answer(edge, `nobody@${name}`)).startsWith('550 5.1.1'));
  };
  const hasName = async (edge: number) => {
    const sender = await world.speak('mx', { edge });
    const { text } = await sender.command('EHLO client.test');
    sender.destroy();
    return text.startsWith('mail.corp.test');
  };
  // The demo tenant is the first of the file, as `npm start` lays it.
  expect(await goesTo()).toBe('postmaster@demo.test');
  await world.reconfigure({ hostname: 'mail.corp.test' });
  await untilEverywhere(hasName);
  expect(await goesTo()).toBe('postmaster@demo.test');
  await add('aaa.test');
  await ctl('domain', 'update', 'open.test', '--catch-all', 'bob@acme.test');
  expect(await goesTo()).toBe('postmaster@demo.test');
  await add('corp.test');
  expect(await goesTo()).toBe('postmaster@corp.test');
  await world.reconfigure({ hostname: 'mail.corp.test', postmaster: 'carol@acme.test' });
  await becomes('carol@acme.test');
  await world.reconfigure({});
});

test('mail that waits for a domain is counted when that is deleted, stays at home, and goes when it is made again', {
  timeout: 60_000,
}, async () => {
  const make = () =>
    ctl(
      'domain',
      'add',
      'leaving.test',
      '--tenant',
      'acme',
      '--next-hop',
      'hop',
      '--any-recipient',
      '--assume-verified',
    );
  const shows = (text: string) =>
    vi.waitFor(
      async () => {
        await world.cluster.ctl('queue', 'retry', '--domain', 'leaving.test');
        expect((await world.cluster.ctl('queue', 'list', '--domain', 'leaving.test')).stdout).toContain(text);
      },
      { timeout: 20_000, interval: 200 },
    );
  const accepts = async (edge: number) => taken(await answer(edge, 'x@leaving.test'));
  await make();
  await world.nextHop.close();
  try {
    await untilEverywhere(accepts);
    await shows('deferred');
    const asked = await world.cluster.ctl('domain', 'delete', 'leaving.test');
    expect(asked.code).toBe(1);
    expect(asked.stderr).toMatch(
      /Mail that waits for leaving\.test: \d+ messages?\. .*Nothing was done; --yes does it/,
    );
    const done = await world.cluster.ctl('domain', 'delete', 'leaving.test', '--yes');
    expect(done.stdout).toMatch(/^Deleted leaving\.test\.\nNote: Mail that waits for leaving\.test: \d+ message/);
    await shows('leaving.test is no longer hosted here');
  } finally {
    await world.nextHop.open();
  }
  await make();
  await shows('Nothing waits.');
  expect(world.nextHop.having('To: <x@leaving.test>').length).toBeGreaterThanOrEqual(edges);
});
