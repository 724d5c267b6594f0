/**
 * What tenants and domains set differently for checks, in a running cluster of two edges and two policies: written in the operator's file, changed
 * by posternctl, refused where it loosens. And greylisting as a pool of fifty sending addresses meets it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { users, withMailWorld } from './mail-world.js';

const pool = 50;
const world = withMailWorld({
  edges: 2,
  policies: 2,
  config: {
    limits: { connectionsPerIp: 0, connectionRatePerIp: 0 },
    tenants: [
      {
        name: 'acme',
        checks: { spf: { onFail: 'reject' } },
        domains: [
          { name: 'acme.test', nextHop: 'hop', checks: { lists: { block: ['blocked@plain.test'] } } },
          {
            name: 'open.test',
            nextHop: 'hop',
            validateRecipients: false,
            checks: { greylist: { enabled: true, delay: '1s', autoAllow: 0 } },
          },
        ],
        users: users.map((user) => ({ address: `${user}@acme.test`, password: 'correct-horse-battery' })),
      },
      { name: 'other', domains: [{ name: 'other.test', nextHop: 'hop', validateRecipients: false }] },
    ],
  },
});

interface Try {
  readonly from: string;
  readonly to: string;
  /** 127.0.N.1: each in a /24 of its own. */
  readonly at?: number;
  readonly edge?: number;
}

async function mail({ from, to, at = 0, edge = 0 }: Try): Promise<string> {
  const sender = await world.speak('mx', { edge, localAddress: `127.0.${at}.1` });
  try {
    const reply = await sender.send({ from, to: [to], data: buildMessage({ from, to }) });
    return `${reply.code} ${reply.text}`;
  } finally {
    sender.destroy();
  }
}

/** Asked again until it holds; ten seconds at most. */
async function until(one: Try, wanted: RegExp): Promise<void> {
  const end = Date.now() + 10_000;
  for (let said = ''; !wanted.test(said); said = await mail(one)) {
    if (Date.now() > end) throw new Error(`${one.from} to ${one.to}: ${said}`);
    await delay(50);
  }
}

async function greylisted(outcome: string): Promise<number[]> {
  const { services } = await world.cluster.run();
  const texts = await Promise.all(
    services
      .filter(({ name }) => name === 'policy')
      .map(async ({ metrics }) => (await fetch(new URL('/metrics', metrics))).text()),
  );
  const line = new RegExp(`^postern_policy_check_total\\{check="greylist",outcome="${outcome}"\\} (\\d+)`, 'm');
  return texts.map((text) => Number(line.exec(text)?.[1] ?? 0));
}

test('settings of the operator file hold for their tenant and domain alone', async () => {
  expect(await mail({ from: 'x@bad.test', to: 'bob@acme.test' })).toMatch(/^550 5\.7\.23 /);
  expect(await mail({ from: 'x@bad.test', to: 'x@other.test' })).toMatch(/^250 /);
  expect(await mail({ from: 'blocked@plain.test', to: 'bob@acme.test' })).toMatch(/^550 5\.7\.1 .*block list/);
  expect(await mail({ from: 'blocked@plain.test', to: 'x@other.test' })).toMatch(/^250 /);
});

test('fifty addresses of one pool pass on the second try, from wherever it comes, by either policy', async () => {
  const letter = (number: number) => ({ from: `list+${number}@good.test`, to: `reader${number}@open.test` });
  const numbers = Array.from({ length: pool }, (_, number) => number);
  for (const number of numbers)
    expect(await mail({ ...letter(number), at: number, edge: number % 2 })).toMatch(/^451 4\.7\.1 Greylisted/);
  await delay(1_100);
  const second = numbers.map((number) => ({ ...letter(number), at: (number + 17) % pool, edge: (number + 1) % 2 }));
  // At once, so that both policies have some.
  for (const reply of await Promise.all(second.map(mail))) expect(reply).toMatch(/^250 /);
  const passed = await greylisted('passed');
  expect(passed.reduce((sum, count) => sum + count, 0)).toBe(pool);
  expect(Math.min(...passed)).toBeGreaterThan(0);
});

test('without SPF the network is the origin: another one begins anew', async () => {
  const letter = { from: 'x@plain.test', to: 'reader@open.test' };
  expect(await mail({ ...letter, at: 1 })).toMatch(/^451 4\.7\.1 Greylisted/);
  await delay(1_100);
  expect(await mail({ ...letter, at: 2 })).toMatch(/^451 4\.7\.1 Greylisted/);
  expect(await mail({ ...letter, at: 1 })).toMatch(/^250 /);
});

test('posternctl changes single fields, and what would loosen is refused with the field', async () => {
  const { cluster } = world;
  const set = await cluster.ctl('domain', 'set', 'acme.test', 'lists.block=[plain.test]');
  expect([set.code, set.stderr]).toEqual([0, '']);
  await until({ from: 'any@plain.test', to: 'bob@acme.test' }, /^550 5\.7\.1 /);
  await cluster.ctl('tenant', 'set', 'other', 'lists.block=[good.test]');
  await until({ from: 'x@good.test', to: 'x@other.test' }, /^550 5\.7\.1 /);
  expect((await cluster.ctl('tenant', 'set', 'other', '--unset', 'lists')).stdout).toContain(
    'sets nothing differently',
  );
  await until({ from: 'x@good.test', to: 'x@other.test' }, /^250 /);
  const refused = await cluster.ctl('tenant', 'set', 'acme', 'dkim.enabled=false');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('dkim.enabled: the operator has this check on');
});

/** What simulation tells at RCPT with these settings tried; what is wrong with them where they are refused. */
async function tried(text: string, ...options: readonly string[]): Promise<string> {
  const file = join(world.cluster.dataDir, 'tried.yaml');
  await writeFile(file, text);
  const session = ['--client', '127.0.9.1', '--from', 'x@good.test', '--to', 'x@other.test'];
  const { code, stdout, stderr } = await world.cluster.ctl('simulate', ...session, '--checks', file, ...options);
  return code === 0 ? (stdout.split('The client is told:')[1] ?? '') : stderr;
}

test('settings are tried before they are saved: of a tenant, a domain and the operator', async () => {
  const block = 'lists: { block: [good.test] }\n';
  expect(await tried(block, '--tenant', 'other')).toMatch(/550 5\.7\.1 .*block list/);
  expect(await tried(block, '--tenant', 'other', '--domain', 'other.test')).toMatch(/550 5\.7\.1 .*block list/);
  expect(await tried('checks:\n  spf: { enabled: true }\n  lists: { enabled: true, block: [good.test] }\n')).toMatch(
    /550 5\.7\.1 .*block list/,
  );
  expect(await tried('{}', '--tenant', 'other')).toMatch(/RCPT +<x@other\.test> 250/);
  expect(await mail({ from: 'x@good.test', to: 'x@other.test' })).toMatch(/^250 /);
});

test('settings that could not be saved are not tried either', async () => {
  expect(await tried('dkim: { enabled: false }', '--tenant', 'other')).toContain('dkim.enabled: the operator has this');
  expect(await tried('dkim: { enabeld: false }', '--tenant', 'other')).toContain('dkim.enabeld');
  expect(await tried('dkim: { enabeld: false }')).toContain('checks.dkim.enabeld');
  expect(await tried('dnsbl: { enabled: true }')).toContain('checks.dnsbl');
  expect(await tried('lists: { block: [a.test] }', '--tenant', 'other', '--domain', 'acme.test')).toMatch(/acme\.test/);
});
