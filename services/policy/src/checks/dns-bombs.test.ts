/** Zones and messages made to cost: each stays under its budget of questions and of time, and has an outcome. */
import { createPublicKey } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { type Call, createZone, type ZoneData } from '@postern/dns/testing';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground, settings } from '../testing/ground.js';

const all = settings({ spf: {}, dkim: {}, dmarc: {}, arc: {}, sender: {}, helo: {}, ptr: {} });
const includes = Object.fromEntries(
  Array.from({ length: 40 }, (_, at): [string, { TXT: string[] }] => [
    at === 0 ? 'sender.test' : `i${at}.test`,
    { TXT: [`v=spf1 ${[1, 2, 3, 4].map((n) => `include:i${at * 4 + n}.test`).join(' ')} -all`] },
  ]),
);
const hosts = Array.from({ length: 50 }, (_, at): [number, string] => [at, `h${at}.test`]);
const names = Array.from({ length: 60 }, (_, at) => `p${at}.test`);
const label = 'x'.repeat(60);
const signature = (at: number): string =>
  `DKIM-Signature: v=1; a=rsa-sha256; d=d${at}.test; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=${'A'.repeat(684)}\n`;
/** A real RSA public key of 16,384 bits: verifying with one costs 15 times what 4,096 bits cost. */
const hugeKey = createPublicKey({
  key: { kty: 'RSA', n: Buffer.alloc(2_048, 0xfb).toString('base64url'), e: 'AQAB' },
  format: 'jwk',
})
  .export({ type: 'spki', format: 'der' })
  .toString('base64');

async function cost(zone: ZoneData, work: (resolver: ReturnType<typeof createZone>) => Promise<unknown>) {
  const resolver = createZone(zone);
  const before = performance.now();
  await work(resolver);
  return { calls: resolver.calls, ms: performance.now() - before };
}
const of = (calls: readonly Call[], type: string): number => calls.filter((call) => call.type === type).length;

test.each<[string, ZoneData, number]>([
  ['four includes in each of 40 records', includes, 30],
  [
    'an MX of 50 hosts',
    {
      'sender.test': { TXT: ['v=spf1 mx -all'], MX: hosts },
      ...Object.fromEntries(hosts.map(([, host]) => [host, { A: ['203.0.113.1'] }])),
    },
    60,
  ],
  [
    '60 names for the client',
    { 'sender.test': { TXT: ['v=spf1 ptr -all'] }, '10.2.0.192.in-addr.arpa': { PTR: names } },
    60,
  ],
  [
    'a macro that grows',
    { 'sender.test': { TXT: [`v=spf1 ${`exists:%{l}.%{l}.%{l}.%{d}.${label}.test `.repeat(5)} -all`] } },
    30,
  ],
  ['a redirect to itself', { 'sender.test': { TXT: ['v=spf1 redirect=sender.test'] } }, 30],
])('%s', async (_what, zone, most) => {
  const from = `${'l'.repeat(60)}@sender.test`;
  const { calls, ms } = await cost(zone, (resolver) => askEnvelope(ground({ resolver, snapshot: all }), { from }));
  expect(calls.length).toBeLessThanOrEqual(most);
  expect(of(calls, 'TXT')).toBeLessThanOrEqual(12);
  expect(ms).toBeLessThan(500);
});

test('100 signatures, and keys of 16 kbit: ten are looked at, none is computed with', async () => {
  const message = `${Array.from({ length: 100 }, (_, at) => signature(at)).join('')}From: a@sender.test\n\nbody\n`;
  const zone = Object.fromEntries(
    Array.from({ length: 100 }, (_, at) => [`s._domainkey.d${at}.test`, { TXT: [`v=DKIM1; p=${hugeKey}`] }]),
  );
  const here = { outcome: '' as string | undefined, first: '' as string | undefined };
  const { calls, ms } = await cost(zone, async (resolver) => {
    const verdict = await askContent(ground({ resolver, snapshot: all }), message, {});
    const finding = verdict.findings.find(({ check }) => check === 'dkim');
    here.outcome = finding?.outcome;
    here.first = finding?.evidence['signature.1'];
  });
  expect(calls.filter(({ name }) => name.includes('_domainkey'))).toHaveLength(10);
  expect(here.outcome).toBe('policy');
  expect(here.first).toContain('(key of 16384 bits is too large)');
  expect(ms).toBeLessThan(500);
});
