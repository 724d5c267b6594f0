/** What a tenant's key sees of what was refused: failed logins of its own users, what a client did to it, and nothing of others; and what operators are told of a domain that is not verified. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMessage } from '@postern/testkit/smtp';
import { beforeAll, expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const user = (address: string) => ({ address, password: `password of ${address}` });
const world = withMailWorld({
  config: {
    tenants: [
      { name: 'alpha', domains: [{ name: 'alpha.test' }], users: [user('ann@alpha.test')] },
      { name: 'beta', domains: [{ name: 'beta.test' }], users: [user('ben@beta.test')] },
    ],
  },
});
const tenants = ['alpha', 'beta'] as const;
const patience = { timeout: 20_000, interval: 200 };
const keys = new Map<string, string>();

beforeAll(async () => {
  for (const tenant of tenants) {
    const made = await world.cluster.ctlJson('key', 'create', '--tenant', tenant, '--role', 'tenant-reader');
    if (typeof made !== 'object' || made === null || !('secret' in made)) throw new Error('the key has no secret');
    const file = join(world.cluster.dataDir, `${tenant}.key`);
    await writeFile(file, String(made.secret));
    keys.set(tenant, file);
  }
}, 60_000);

const seenBy = async (tenant: string, ...args: string[]): Promise<string> =>
  (await world.cluster.ctl('--key-file', keys.get(tenant) ?? '', 'trace', ...args)).stdout;

test('a failed login is seen by the tenant of the domain it was tried with, by its user or its session; by no other', async () => {
  const sender = await world.speak('submission');
  const session = /\(([0-9A-Z]{26})\)/;
  const replies = new Map<string, string>();
  for (const login of ['Ann@ALPHA.test', 'who@elsewhere.test', 'ben@beta.test']) {
    const reply = await sender.auth(login, 'guessed');
    expect(reply.code).toBe(535);
    replies.set(login, session.exec(reply.text)?.[1] ?? '');
  }
  await sender.quit();
  const id = replies.get('ben@beta.test') ?? '';
  await vi.waitFor(async () => {
    expect(await seenBy('alpha', '--sender', 'Ann@ALPHA.test')).toContain('edge.login.refused');
    expect(await seenBy('beta', id)).toContain('user=ben@beta.test');
    expect((await world.cluster.ctl('trace', id)).stdout).toContain('user=who@elsewhere.test');
  }, patience);
  const alpha = await seenBy('alpha', id);
  expect(alpha).toContain('user=Ann@ALPHA.test');
  expect(alpha).not.toMatch(/beta|elsewhere/);
  expect(await seenBy('beta', id)).not.toMatch(/alpha|elsewhere/i);
  expect(await seenBy('beta', '--sender', 'Ann@ALPHA.test')).toBe('Nothing found.\n');
}, 90_000);

test('what a client did is found by its address: by operators all of it, by a tenant what concerns it', async () => {
  const client = '127.0.0.9';
  const sender = await world.speak('mx', { localAddress: client });
  const data = buildMessage({ from: 'a@good.test', to: 'ann@alpha.test' });
  await sender.command('MAIL FROM:<a@good.test>');
  for (const to of ['ghost@alpha.test', 'ghost@beta.test'])
    expect(await sender.command(`RCPT TO:<${to}>`)).toMatchObject({ code: 550 });
  await sender.command('RSET');
  const reply = await sender.send({ from: 'a@good.test', to: ['ann@alpha.test'], data });
  const queueId = /[0-9A-Z]{26}/.exec(reply.text)?.[0] ?? '';
  expect(reply.code).toBe(250);
  await sender.quit();
  await vi.waitFor(async () => {
    expect(await seenBy('alpha', '--client', client)).toMatch(new RegExp(`^Message ${queueId} .*ghost@alpha`, 's'));
    expect(await seenBy('beta', '--client', client)).toMatch(/^Session .*ghost@beta/s);
  }, patience);
  expect(await seenBy('alpha', '--client', `::FFFF:${client}`)).not.toMatch(/beta|Session|Nothing/);
  expect(await seenBy('beta', '--client', client)).not.toMatch(/alpha|Message/);
  const everything = (await world.cluster.ctl('trace', '--client', client)).stdout;
  for (const one of [queueId, 'ghost@alpha.test', 'ghost@beta.test']) expect(everything).toContain(one);
  expect(await seenBy('alpha', '--client', client, '--sender', 'other@good.test')).toBe('Nothing found.\n');
  expect(await seenBy('alpha', '--client', '127.0.0.90')).toBe('Nothing found.\n');
}, 90_000);

test('mail for a domain that is not verified yet is refused, and the trace says what is missing', async () => {
  expect((await world.cluster.ctl('domain', 'add', 'new.test', '--tenant', 'alpha')).code).toBe(0);
  const sender = await world.speak('mx');
  const to = 'x@New.test';
  const reply = await sender.send({ from: 'a@good.test', to: [to], data: buildMessage({ from: 'a@good.test', to }) });
  expect(`${reply.code} ${reply.text}`).toMatch(/^550 5\.7\.1 /);
  await sender.quit();
  await vi.waitFor(
    async () =>
      expect((await world.cluster.ctl('trace', '--recipient', to)).stdout).toContain(
        'reason: domain new.test of tenant alpha is not verified yet (posternctl domain verify new.test)',
      ),
    patience,
  );
  // What others have and have not verified is not beta's to know.
  expect(await seenBy('beta', '--recipient', to)).toBe('Nothing found.\n');
}, 90_000);
