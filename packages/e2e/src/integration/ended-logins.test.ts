/**
 * Logins that end: a user that is disabled or expires, and an app password that expires, are refused at AUTH on every pod within two seconds of the command; the
 * operator reads why in the trace, the client does not hear it.
 */
import { expect, test } from 'vitest';
import { password, speak, withMailWorld } from './mail-world.js';

const liveWithinMs = 2_000;
const edges = [0, 1];
const world = withMailWorld({
  edges: edges.length,
  config: { limits: { errorsPerSession: 100 }, errorControl: { failedLoginsPerAccount: 0, loginDelay: '0s' } },
});

async function login(user: string, edge: number, secret = password) {
  const sender = await speak(world.cluster, 'submissions', { edge });
  try {
    return await sender.auth(`${user}@acme.test`, secret);
  } finally {
    sender.destroy();
  }
}

async function ctl(...args: string[]): Promise<string> {
  const result = await world.cluster.ctl(...args);
  expect(result.code, result.stderr).toBe(0);
  return result.stdout;
}

const codes = async (user: string, secret?: string) =>
  (await Promise.all(edges.map((edge) => login(user, edge, secret)))).map(({ code }) => code);

const ends: readonly (readonly [string, string, string[], string[], string])[] = [
  ['bob', 'disabled', ['user', 'disable'], ['user', 'enable'], 'disabled'],
  ['carol', 'expired', ['user', 'set', '--expires', '2020-01-31'], ['user', 'set', '--expires', 'never'], 'expired'],
];

test.each(ends)(
  '%s is %s: refused on every pod, and back again',
  { timeout: 60_000 },
  async (user, _what, end, back, reason) => {
    const address = `${user}@acme.test`;
    expect(await codes(user)).toEqual([235, 235]);
    await ctl(...end, address);
    const ended = Date.now();
    const refused = await Promise.all(edges.map((edge) => login(user, edge)));
    expect(Date.now() - ended).toBeLessThan(liveWithinMs);
    expect(refused.map(({ code }) => code)).toEqual([535, 535]);
    for (const { text } of refused) {
      expect(text).not.toContain(reason);
      const session = /\((\w{26})\)/.exec(text)?.[1] ?? '';
      await expect
        .poll(async () => (await world.cluster.ctl('trace', session)).stdout, { timeout: 20_000 })
        .toContain(`reason: ${reason}`);
    }
    await ctl(...back, address);
    expect(await codes(user)).toEqual([235, 235]);
  },
);

test('an expired user still receives', { timeout: 60_000 }, async () => {
  await ctl('user', 'set', 'dave@acme.test', '--expires', '2020-01-31');
  expect(await ctl('user', 'get', 'dave@acme.test')).toContain('2020-02-01');
  const sender = await speak(world.cluster, 'mx');
  expect(await sender.command('MAIL FROM:<someone@good.test>')).toMatchObject({ code: 250 });
  expect(await sender.command('RCPT TO:<dave@acme.test>')).toMatchObject({ code: 250 });
  sender.destroy();
});

test('an app password ends with its time', { timeout: 60_000 }, async () => {
  const made = await ctl('app-password', 'create', 'bob@acme.test', 'scanner', '--expires-in', '3s');
  const secret = made.split('\n', 1)[0] ?? '';
  expect(await codes('bob', secret)).toEqual([235, 235]);
  await expect.poll(() => codes('bob', secret), { timeout: 10_000 }).toEqual([535, 535]);
});
