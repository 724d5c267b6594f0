/** Servers that say nothing are told once and cost a moment; names that say nothing are not taken for them, nor are servers that are slow. */
import { systemClock } from '@postern/clock';
import { afterEach, expect, test, vi } from 'vitest';
import { createDnsClient } from './client.js';
import { startDnsServer, type TestDnsServer } from './testing/dns-server.js';

const servers: TestDnsServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const timeoutMs = 1_200;
const silent = { kind: 'timeout' } as const;
const patience = { timeout: 10_000, interval: 50 };

async function world() {
  const server = await startDnsServer({ 'here.test': { A: ['192.0.2.1'] } });
  servers.push(server);
  const told: boolean[] = [];
  const metrics = { silent: (isSilent: boolean) => told.push(isSilent) };
  const dns = createDnsClient({ clock: systemClock, servers: [server.server], timeoutMs, hedgeMs: 100, metrics });
  let names = 0;
  const ask = async (name = `n${++names}.slow.test`) => {
    const begun = performance.now();
    const { kind } = await dns.query(name, 'A');
    return { kind, tookMs: performance.now() - begun };
  };
  const threeAtOnce = () => Promise.all([ask(), ask(), ask()]);
  return { server, told, ask, threeAtOnce };
}

test('silent servers: told once, questions end soon, and are answered as soon as one speaks', async () => {
  const { server, told, ask, threeAtOnce } = await world();
  server.script('*', silent);
  for (const { kind, tookMs } of await threeAtOnce()) {
    expect(kind).toBe('timeout');
    expect(tookMs).toBeGreaterThan(timeoutMs - 100);
  }
  await vi.waitFor(() => expect(told).toEqual([true]), patience);
  for (const { kind, tookMs } of await threeAtOnce()) {
    expect(kind).toBe('timeout');
    expect(tookMs).toBeLessThan(timeoutMs - 300);
  }
  expect(told).toEqual([true]);
  server.script('*', undefined);
  expect(await ask('here.test')).toMatchObject({ kind: 'answer' });
  expect(told).toEqual([true, false]);
});

test('they are heard again by questions of our own', async () => {
  const { server, told, threeAtOnce } = await world();
  server.script('*', silent);
  await threeAtOnce();
  await vi.waitFor(() => expect(told).toEqual([true]), patience);
  server.script('*', undefined);
  await vi.waitFor(() => expect(told).toEqual([true, false]), patience);
});

test.each([
  ['names that say nothing', (server: TestDnsServer, name: string) => server.script(name, silent)],
  ['servers that are slow', (server: TestDnsServer) => server.script('*', { kind: 'delay', ms: timeoutMs - 300 })],
])('%s are no silent servers', async (_what, script) => {
  const { server, told, ask } = await world();
  for (const round of [1, 2]) {
    const names = [1, 2, 3].map((at) => `r${round}-${at}.slow.test`);
    for (const name of names) script(server, name);
    for (const { tookMs } of await Promise.all(names.map((name) => ask(name))))
      expect(tookMs).toBeGreaterThan(timeoutMs - 400);
  }
  server.script('*', undefined);
  expect(await ask('here.test')).toMatchObject({ kind: 'answer' });
  expect(told).toEqual([]);
});

test('servers that refuse speak', async () => {
  const { server, told, ask } = await world();
  server.script('*', { kind: 'servfail' });
  for (let at = 0; at < 5; at += 1) expect(await ask()).toMatchObject({ kind: 'servfail' });
  expect(told).toEqual([]);
});
