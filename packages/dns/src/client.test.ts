import { createServer } from 'node:net';
import { FakeClock, systemClock } from '@postern/clock';
import { afterEach, describe, expect, it } from 'vitest';
import { createDnsClient, type DnsClientOptions } from './client.js';
import { startDnsServer, type TestDnsServer } from './testing/dns-server.js';
import type { ZoneData } from './testing/zone.js';

const servers: TestDnsServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function serve(zone: ZoneData): Promise<TestDnsServer> {
  const server = await startDnsServer(zone);
  servers.push(server);
  return server;
}

function client(server: TestDnsServer | readonly TestDnsServer[], options: Partial<DnsClientOptions> = {}) {
  const all = Array.isArray(server) ? server : [server];
  return createDnsClient({
    clock: systemClock,
    servers: all.map((one: TestDnsServer) => one.server),
    timeoutMs: 400,
    hedgeMs: 60,
    ...options,
  });
}

const certificate = new Uint8Array([1, 2, 3]);

describe('DNS client against a real server', () => {
  it('reads every record type', async () => {
    const server = await serve({
      'all.test': {
        ttl: 60,
        A: ['192.0.2.1'],
        AAAA: ['2001:db8::1'],
        MX: [
          [20, 'b.test'],
          [10, 'A.test'],
        ],
        TXT: ['one', ['two ', 'halves \u00e9'], 'x'.repeat(600)],
        NS: ['ns.test'],
        TLSA: [{ usage: 3, selector: 1, matchingType: 1, certificate }],
        CAA: [{ critical: true, tag: 'issue', value: 'ca.test' }],
        SOA: [{ mname: 'ns.test', rname: 'h.test', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 }],
      },
      '1.2.0.192.in-addr.arpa': { PTR: ['all.test'] },
    });
    const dns = client(server);
    expect(await dns.query('all.test', 'A')).toMatchObject({
      kind: 'answer',
      ttl: 60,
      records: [{ data: '192.0.2.1' }],
    });
    expect(await dns.query('ALL.test.', 'AAAA')).toMatchObject({ records: [{ data: '2001:db8::1' }] });
    expect(await dns.mx('all.test')).toMatchObject({
      values: [
        { preference: 10, exchange: 'a.test' },
        { preference: 20, exchange: 'b.test' },
      ],
    });
    expect(await dns.txt('all.test')).toMatchObject({ values: ['one', 'two halves \u00e9', 'x'.repeat(600)] });
    expect(await dns.query('all.test', 'NS')).toMatchObject({ records: [{ data: 'ns.test' }] });
    expect(await dns.query('all.test', 'TLSA')).toMatchObject({
      records: [{ data: { usage: 3, selector: 1, matchingType: 1, certificate } }],
    });
    expect(await dns.query('all.test', 'CAA')).toMatchObject({ records: [{ data: { critical: true, tag: 'issue' } }] });
    expect(await dns.query('all.test', 'SOA')).toMatchObject({ records: [{ data: { minimum: 5 } }] });
    expect(await dns.ptr('192.0.2.1')).toMatchObject({ values: ['all.test'] });
    expect(await dns.addresses('all.test')).toMatchObject({
      values: [
        { address: '192.0.2.1', family: 4 },
        { address: '2001:db8::1', family: 6 },
      ],
    });
  });

  it('keeps the outcomes apart', async () => {
    const server = await serve({
      'here.test': { TXT: ['x'] },
      'below.empty.test': { A: ['192.0.2.1'] },
      'servfail.test': 'servfail',
      'refused.test': 'refused',
      'timeout.test': 'timeout',
    });
    const dns = client(server);
    const kinds = await Promise.all(
      ['here.test', 'empty.test', 'gone.test', 'servfail.test', 'refused.test', 'timeout.test', 'a..b'].map(
        async (name) => (await dns.query(name, 'A')).kind,
      ),
    );
    expect(kinds).toEqual(['nodata', 'nodata', 'nxdomain', 'servfail', 'refused', 'timeout', 'invalid']);
  });

  it('says unreachable when nobody listens', async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const bound = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const dns = createDnsClient({ clock: systemClock, servers: [`127.0.0.1:${port}`], timeoutMs: 500 });
    expect((await dns.query('x.test', 'A')).kind).toBe('unreachable');
  });

  it('turns to TCP when truncated', async () => {
    const server = await serve({
      'big.test': { TXT: Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(200)}`) },
    });
    const result = await client(server).query('big.test', 'TXT');
    expect(result.kind === 'answer' && result.records.length).toBe(60);
    expect(server.queries.map((query) => query.transport)).toEqual(['udp', 'tcp']);
  });

  it('follows aliases with the least TTL, ends loops, and asks on where the server stopped', async () => {
    const server = await serve({
      'a.test': { ttl: 50, CNAME: 'b.test' },
      'b.test': { ttl: 20, CNAME: 'c.test' },
      'c.test': { ttl: 90, A: ['192.0.2.3'] },
      'loop1.test': { CNAME: 'loop2.test' },
      'loop2.test': { CNAME: 'loop1.test' },
      'dangling.test': { CNAME: 'nowhere.test' },
    });
    const dns = client(server);
    expect(await dns.query('a.test', 'A')).toMatchObject({ kind: 'answer', name: 'c.test', ttl: 20 });
    expect((await dns.query('loop1.test', 'A')).kind).toBe('servfail');
    expect((await dns.query('dangling.test', 'A')).kind).toBe('nxdomain');
    expect(await dns.query('a.test', 'CNAME')).toMatchObject({ kind: 'answer', records: [{ data: 'b.test' }] });
  });

  it('keeps answers for their TTL, never with TTL 0, and remembers absence', async () => {
    const server = await serve({
      'kept.test': { ttl: 10, A: ['192.0.2.1'] },
      'fleeting.test': { ttl: 0, A: ['192.0.2.1'] },
    });
    const clock = new FakeClock();
    const dns = client(server, { clock });
    const count = (name: string) => server.queries.filter((query) => query.name === name).length;
    await dns.query('kept.test', 'A');
    await clock.advance(4_000);
    expect(await dns.query('kept.test', 'A')).toMatchObject({ ttl: 6 });
    expect(count('kept.test')).toBe(1);
    await clock.advance(6_000);
    expect(await dns.query('kept.test', 'A')).toMatchObject({ ttl: 10 });
    expect(count('kept.test')).toBe(2);
    for (let i = 0; i < 3; i++) await dns.query('fleeting.test', 'A');
    expect(count('fleeting.test')).toBe(3);
    for (let i = 0; i < 3; i++) expect((await dns.query('none.test', 'A')).kind).toBe('nxdomain');
    expect(count('none.test')).toBe(1);
    server.zone.set('none.test', { A: ['192.0.2.9'] });
    await clock.advance(300_000);
    expect((await dns.query('none.test', 'A')).kind).toBe('answer');
  });

  it('forgets a failure after a moment', async () => {
    const server = await serve({ 'x.test': { A: ['192.0.2.1'] } });
    const clock = new FakeClock();
    const dns = client(server, { clock });
    server.script('x.test', { kind: 'servfail' }, 1);
    expect((await dns.query('x.test', 'A')).kind).toBe('servfail');
    expect((await dns.query('x.test', 'A')).kind).toBe('servfail');
    await clock.advance(1_000);
    expect((await dns.query('x.test', 'A')).kind).toBe('answer');
    expect(server.queries.length).toBe(2);
  });

  it('asks once for equal questions at once', async () => {
    const server = await serve({ 'x.test': { ttl: 0, A: ['192.0.2.1'] } });
    const dns = client(server);
    await Promise.all(Array.from({ length: 50 }, () => dns.query('X.test', 'A')));
    expect(server.queries.length).toBe(1);
  });

  it('goes to the second server when the first is silent or failing', async () => {
    const zone: ZoneData = { 'x.test': { ttl: 0, A: ['192.0.2.1'] } };
    const [first, second] = [await serve(zone), await serve(zone)];
    const dns = client([first, second]);
    for (const kind of ['timeout', 'servfail', 'refused', 'garbage'] as const) {
      first.script('*', { kind }, 1);
      expect((await dns.query('x.test', 'A')).kind).toBe('answer');
    }
    first.script('*', { kind: 'timeout' });
    for (let i = 0; i < 4; i++) await dns.query('x.test', 'A');
    const before = first.queries.length;
    await dns.query('x.test', 'A');
    expect(first.queries.length, 'a silent server is asked last').toBe(before);
  });

  it('asks again when a packet is lost', async () => {
    const server = await serve({ 'x.test': { A: ['192.0.2.1'] } });
    server.script('*', { kind: 'timeout' }, 1);
    expect((await client(server).query('x.test', 'A')).kind).toBe('answer');
  });

  it.each(['wrong-id', 'wrong-question'] as const)('ignores a reply with %s', async (kind) => {
    const server = await serve({ 'x.test': { A: ['192.0.2.1'] } });
    server.script('*', { kind });
    expect((await client(server).query('x.test', 'A')).kind).toBe('timeout');
  });

  it('mixes the letter case of questions when told', async () => {
    const server = await serve({ 'abcdefghijklmnopqrstuvwxyz.test': { A: ['192.0.2.1'] } });
    const result = await client(server, { randomCase: true }).query('abcdefghijklmnopqrstuvwxyz.test', 'A');
    expect(result.kind).toBe('answer');
    expect(server.queries[0]?.rawName).not.toBe('abcdefghijklmnopqrstuvwxyz.test');
  });

  it('obeys signal and deadline without a rejection', async () => {
    const server = await serve({ 'slow.test': { A: ['192.0.2.1'] } });
    server.script('*', { kind: 'delay', ms: 200 });
    const dns = client(server, { hedgeMs: 1_000 });
    const abort = new AbortController();
    const aborted = dns.query('slow.test', 'A', { signal: abort.signal });
    const late = dns.query('slow.test', 'A', { deadlineMs: 20 });
    const patient = dns.query('slow.test', 'A');
    abort.abort();
    expect([(await aborted).kind, (await late).kind, (await patient).kind]).toEqual(['aborted', 'timeout', 'answer']);
    expect((await dns.query('slow.test', 'A', { signal: abort.signal })).kind).toBe('aborted');
  });

  it('serves stale answers while no server can answer', async () => {
    const server = await serve({ 'x.test': { ttl: 5, A: ['192.0.2.1'] } });
    const clock = new FakeClock();
    const dns = client(server, { clock, serveStaleMs: 60_000 });
    await dns.query('x.test', 'A');
    await clock.advance(6_000);
    server.script('*', { kind: 'servfail' });
    expect(await dns.query('x.test', 'A')).toMatchObject({ kind: 'answer', stale: true, ttl: 30 });
    expect(await dns.query('x.test', 'A')).toMatchObject({ stale: true });
    expect(server.queries.length, 'no refresh right after one failed').toBe(2);
    server.script('*', undefined);
    await clock.advance(30_000);
    expect(await dns.query('x.test', 'A')).toMatchObject({ kind: 'answer', stale: false });
    server.script('*', { kind: 'servfail' });
    await clock.advance(100_000);
    expect((await dns.query('x.test', 'A')).kind, 'too old').toBe('servfail');
  });

  it('stays within its bytes', async () => {
    const server = await serve({ '*.test': { TXT: ['x'.repeat(1_000)] } });
    let bytes = 0;
    let entries = 0;
    const metrics = {
      cacheSize: (count: number, size: number) => {
        entries = count;
        bytes = size;
      },
    };
    const dns = client(server, { cacheBytes: 20_000, metrics });
    for (let i = 0; i < 50; i++) await dns.txt(`n${i}.test`);
    expect(bytes).toBeLessThanOrEqual(20_000);
    expect(entries).toBeGreaterThan(5);
    const before = server.queries.length;
    await dns.txt('n49.test');
    expect(server.queries.length, 'the youngest is still there').toBe(before);
    await dns.txt('n0.test');
    expect(server.queries.length, 'the oldest is gone').toBe(before + 1);
  });

  it('shares answers through the second tier and survives its failure', async () => {
    const server = await serve({ 'x.test': { ttl: 100, TXT: ['a', 'b'] }, 'y.test': { ttl: 100, CNAME: 'x.test' } });
    const clock = new FakeClock();
    const stored = new Map<string, Uint8Array>();
    const secondTier = {
      get: (key: string) => Promise.resolve(stored.get(key)),
      set: (key: string, value: Uint8Array) => Promise.resolve(void stored.set(key, value)),
    };
    const first = client(server, { clock, secondTier });
    for (const name of ['x.test', 'y.test']) await first.txt(name);
    await first.query('x.test', 'A');
    await clock.advance(40_000);
    const asked = server.queries.length;
    const second = client(server, { clock, secondTier });
    expect(await second.txt('x.test')).toMatchObject({ values: ['a', 'b'], ttl: 60 });
    expect(await second.txt('y.test')).toMatchObject({ values: ['a', 'b'], ttl: 60 });
    expect((await second.query('x.test', 'A')).kind).toBe('nodata');
    expect(server.queries.length).toBe(asked);
    for (const key of stored.keys()) stored.set(key, new Uint8Array([1, 2, 3]));
    expect(await client(server, { clock, secondTier }).txt('x.test')).toMatchObject({ values: ['a', 'b'], ttl: 100 });
    const broken = { get: () => Promise.reject(new Error('down')), set: () => Promise.reject(new Error('down')) };
    expect((await client(server, { clock, secondTier: broken }).txt('x.test')).kind).toBe('answer');
  });

  it('counts the AD bit only of a trusted server', async () => {
    const server = await serve({ 'x.test': { authenticated: true, A: ['192.0.2.1'] } });
    expect(await client(server).query('x.test', 'A')).toMatchObject({ authenticated: true });
    const distrustful = client(server, { trustAuthenticated: false });
    expect(await distrustful.query('x.test', 'A')).toMatchObject({ authenticated: false });
  });
});
