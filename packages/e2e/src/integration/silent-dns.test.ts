/**
 * DNS that is silent, whole or in places a sender chooses: checks that mark are marked in time, a simulation says the same, and nobody gets round
 * DMARC or a list by names that never answer, nor by a From field that is no address.
 */
import { createHash } from 'node:crypto';
import type { SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const listing = { A: ['127.0.0.2'] };
const world = withMailWorld({
  zone: {
    '_dmarc.strict.test': { TXT: ['v=DMARC1; p=reject'] },
    'strict.test': { MX: [[10, 'mx.good.test']] },
    'spam.test.live.test': listing,
    'test.live.test': listing,
  },
});
const whole = { timeout: 200_000 };
const patience = { timeout: 60_000, interval: 500 };
const marking = Object.fromEntries(['ptr', 'helo', 'spf', 'sender'].map((name) => [name, { enabled: true }]));
const silent = { kind: 'timeout' } as const;

async function sent(from: string, fields: string, body = 'x'): Promise<string> {
  const sender: SmtpSender = await world.speak('mx');
  try {
    const data = Buffer.from(`${fields}\r\nTo: b@open.test\r\nSubject: s\r\n\r\n${body}\r\n`);
    const { code, text } = await sender.send({ from, to: ['b@open.test'], data });
    return `${code} ${text}`;
  } finally {
    sender.destroy();
  }
}

let names = 0;
const fresh = (): string => `n${++names}.slow.test`;

test('silent for ptr, helo, spf and sender, which only mark: taken, and simulated so', whole, async () => {
  await world.reconfigure({ checks: marking });
  world.dns.script('*', silent);
  try {
    await vi.waitFor(async () => {
      const domain = fresh();
      expect(await sent(`a@${domain}`, `From: a@${domain}`)).toMatch(/^250 /);
    }, patience);
    for (const _round of [1, 2]) {
      const domain = fresh();
      const begun = performance.now();
      expect(await sent(`a@${domain}`, `From: a@${domain}`)).toMatch(/^250 /);
      expect(performance.now() - begun).toBeLessThan(20_000);
    }
    const described = [
      '--client',
      '127.0.0.1',
      '--helo',
      'h.slow.test',
      '--from',
      `a@${fresh()}`,
      '--to',
      'b@open.test',
    ];
    const { stdout, stderr, code } = await world.cluster.ctl('simulate', ...described);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/temperror/);
  } finally {
    world.dns.script('*', undefined);
  }
});

async function policyMetrics(): Promise<string> {
  const { services } = await world.cluster.run();
  const address = services.find(({ name }) => name === 'policy')?.metrics ?? '';
  return (await fetch(new URL('/metrics', address))).text();
}

test('silent servers are told, and strange domains wait a moment until one answers', whole, async () => {
  await world.reconfigure({ checks: marking });
  const message = (): Promise<string> => {
    const domain = fresh();
    return sent(`a@${domain}`, `From: a@${domain}`);
  };
  world.dns.script('*', silent);
  try {
    await vi.waitFor(async () => {
      expect(await message()).toMatch(/^250 /);
      expect(await policyMetrics()).toMatch(/^postern_policy_dns_silent 1$/m);
    }, patience);
    const begun = performance.now();
    expect(await message()).toMatch(/^250 /);
    expect(performance.now() - begun).toBeLessThan(5_000);
  } finally {
    world.dns.script('*', undefined);
  }
  await vi.waitFor(async () => expect(await policyMetrics()).toMatch(/^postern_policy_dns_silent 0$/m), patience);
});

test('DMARC refuses whatever a sender makes slow or unreadable', whole, async () => {
  await world.reconfigure({ checks: { dmarc: { onFail: 'reject' } } });
  await vi.waitFor(
    async () => expect(await sent('a@plain.test', 'From: boss@strict.test')).toMatch(/^550 5\.7\.1 /),
    patience,
  );
  const hash = createHash('sha256').update('x\r\n').digest('base64');
  for (const round of [1, 2, 3]) {
    const domain = fresh();
    for (const name of [domain, `s${round}._domainkey.${domain}`, `_dmarc.${domain}`]) world.dns.script(name, silent);
    const signature = `DKIM-Signature: v=1; a=rsa-sha256; d=${domain}; s=s${round}; h=from; bh=${hash}; b=${'A'.repeat(342)}==`;
    expect(await sent(`a@${domain}`, `${signature}\r\nFrom: boss@strict.test`)).toMatch(/^550 5\.7\.1 /);
  }
  const crowd = 'x@plain.test, '.repeat(100);
  for (const from of [
    'boss@strict.test, x',
    'boss@strict.test\r\nFrom: x',
    'boss@strict.test <',
    'boss@strict.test <>',
    'boss@strict.test, a@a.test, b@b.test, c@c.test, d@d.test, e@e.test',
    `${crowd}boss@strict.test`,
    'nobody',
  ])
    expect(await sent('a@plain.test', `From: ${from}`)).toMatch(/^550 5\.7\.1 /);
  world.dns.script('_dmarc.away.slow.test', silent);
  expect(await sent('a@plain.test', 'From: boss@away.slow.test')).toMatch(/^451 4\.7\.1 /);
});

test('a list that never answers hides no listing by another', whole, async () => {
  const zones = ['dead.test', 'live.test'];
  for (const name of ['test', 'invalid', 'spam.test', 'good.test']) world.dns.script(`${name}.dead.test`, silent);
  await world.reconfigure({ checks: { uribl: { enabled: true, onFail: 'reject', zones } } });
  const linked = () => sent('a@good.test', 'From: a@good.test', 'see http://www.spam.test/');
  await vi.waitFor(async () => expect(await linked()).toMatch(/^550 5\.7\.1 /), patience);
  for (const _round of [1, 2, 3, 4]) expect(await linked()).toMatch(/^550 5\.7\.1 /);
});
