/** The front over real sockets where a dialog file cannot say it: addresses, drain, admission, segmentation, memory. */
import { createServer } from 'node:net';
import { FakeClock } from '@postern/clock';
import { Action, Decision } from '@postern/proto/policy/v1/policy_service';
import { replies } from '@postern/smtp-core';
import { RawClient } from '@postern/testkit/smtp';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Listener } from '../listener.js';
import { acceptAll, Doubles } from '../testing/doubles.js';
import type { Opening } from './connection.js';

let open: Listener | undefined;

async function start(doubles: Doubles, ...args: Parameters<Doubles['listen']>): Promise<Listener> {
  open = await doubles.listen(...args);
  return open;
}

afterEach(async () => {
  open?.destroy();
  await open?.drain();
  open = undefined;
});

const transaction = ['EHLO c.test', 'MAIL FROM:<a@sender.test>', 'RCPT TO:<bob@example.test>'];

async function greeted(port: number, lines: readonly string[] = transaction): Promise<RawClient> {
  const client = await RawClient.open(port);
  await client.reply();
  for (const line of lines) await client.command(line);
  return client;
}

describe('client address', () => {
  const trusted = { trustedProxies: ['127.0.0.0/8'] };

  it('takes a PROXY header of a trusted peer, also split, and what follows it', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(trusted);
    const { port } = await start(doubles, { proxyProtocol: true });
    const client = await RawClient.open(port);
    client.send('PROXY TCP4 192.0.2.9 198.51.10');
    client.send('0.1 4711 25\r\n');
    expect(await client.reply()).toMatch(/^220/);
    for (const line of [...transaction, 'DATA']) await client.command(line);
    client.send('x\r\n.\r\n');
    await client.reply();
    expect(doubles.stored[0]?.envelope.origin).toMatchObject({ clientAddress: '192.0.2.9', clientPort: 4711 });
    client.destroy();
  });

  it.each<[string, 'mx' | 'submissions', string, RegExp]>([
    [
      'that cannot be read',
      'mx',
      'PROXY TCP4 999.0.2.9 198.51.100.1 4711 25\r\nEHLO c.test\r\n',
      /^421 4\.7\.0 malformed PROXY header \([0-9A-Z]{26}\)\r\n$/,
    ],
    [
      'of version 2 that cannot be read',
      'mx',
      '\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c',
      /^421 4\.7\.0 malformed PROXY header \([0-9A-Z]{26}\)\r\n$/,
    ],
    [
      'that is missing',
      'mx',
      'EHLO c.test\r\n',
      /^421 4\.7\.0 a PROXY header is expected here first \([0-9A-Z]{26}\)\r\n$/,
    ],
    ['that cannot be read, before TLS', 'submissions', 'PROXY TCP4 999.0.2.9 198.51.100.1 4711 465\r\n', /^$/],
  ])('tells a trusted proxy of a header %s', async (_name, role, sent, expected) => {
    const doubles = new Doubles();
    doubles.setSnapshot(trusted);
    const { port } = await start(doubles, { name: role, role, proxyProtocol: true });
    const client = await RawClient.open(port);
    client.send(Buffer.from(sent, 'latin1'));
    await client.closed();
    expect(client.rest).toMatch(expected);
    expect(doubles.events).toMatchObject([{ event: 'edge.session.refused' }]);
  });

  it('drops a peer that is not trusted, where a header is required', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles, { proxyProtocol: true });
    const stranger = await RawClient.open(port);
    stranger.send('PROXY TCP4 192.0.2.9 198.51.100.1 4711 25\r\n');
    await stranger.closed();
    expect(stranger.rest).toBe('');
  });

  it('takes TLS and names from the header of a proxy that ends TLS', async () => {
    const doubles = new Doubles();
    const mechanisms = { authMechanismsTls: ['PLAIN'], authMechanismsPlain: [] };
    doubles.setSnapshot({ ...trusted, listeners: [{ name: 'mx', role: 'mx', requireTls: true, ...mechanisms }] });
    const { port } = await start(doubles, { proxyProtocol: true });
    const client = await RawClient.open(port);
    const address = 'c0000209c633640104d20019';
    const authority = `02000c${Buffer.from('mail.one.tes').toString('hex')}`;
    const ssl = `20000f01000000002100075${Buffer.from('TLSv1.3').toString('hex').slice(1)}`;
    const body = address + authority + ssl;
    client.send(
      Buffer.from(`0d0a0d0a000d0a515549540a2111${(body.length / 2).toString(16).padStart(4, '0')}${body}`, 'hex'),
    );
    expect(await client.reply()).toMatch(/^220/);
    expect(await client.command('EHLO c.test')).toMatch(/250-AUTH PLAIN\r\n(?:250-.*\r\n)*250 REQUIRETLS/);
    expect(await client.command('STARTTLS')).toMatch(/^503/);
    for (const line of transaction.slice(1)) expect(await client.command(line)).toMatch(/^250/);
    expect(doubles.asked[0]?.facts).toMatchObject({
      proxyAuthority: 'mail.one.tes',
      origin: { tlsVersion: 'TLSv1.3' },
    });
    client.destroy();
  });

  it('does not believe a header of a stranger', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    await client.reply();
    expect(await client.command('PROXY TCP4 192.0.2.9 198.51.100.1 4711 25')).toMatch(/^421 4\.7\.0 no PROXY header/);
    expect(doubles.suspicions).toEqual(['unexpected_proxy 127.0.0.1']);
    client.destroy();
  });

  it('gives a trusted peer that sends none its banner all the same, where it is not required', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(trusted);
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    expect(await client.reply()).toMatch(/^220/);
    client.destroy();
  });

  it('reads the header before the TLS handshake of submissions', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(trusted);
    const { port } = await start(doubles, { name: 'submissions', role: 'submissions', proxyProtocol: true });
    const client = await RawClient.open(port);
    client.send('PROXY TCP4 192.0.2.9 198.51.100.1 4711 465\r\n');
    await client.startTls();
    expect(await client.reply()).toMatch(/^220/);
    expect(await client.command('EHLO c.test')).toContain('AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN');
    client.destroy();
  });
});

describe('XCLIENT', () => {
  const filtered = { listeners: [{ name: 'mx', role: 'mx', xclientNetworks: ['127.0.0.0/8'] }] };

  it('makes the session that of another client, judged anew', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    await client.reply();
    expect(await client.command('EHLO filter.test')).toContain('XCLIENT NAME ADDR');
    expect(
      await client.command('XCLIENT ADDR=IPV6:2001:db8::9 PORT=4711 NAME=[UNAVAILABLE] HELO=first+2Etest DESTPORT=25'),
    ).toMatch(/^220 /);
    expect(doubles.released).toBe(1);
    expect(await client.command('MAIL FROM:<a@sender.test>')).toMatch(/^503/);
    for (const line of ['EHLO filter.test', ...transaction.slice(1)])
      expect(await client.command(line)).toMatch(/^250/);
    expect(doubles.asked[0]).toMatchObject({
      stages: [1, 2, 4, 5],
      facts: { localPort: 25, origin: { clientAddress: '2001:db8::9', clientPort: 4711, helo: 'first.test' } },
    });
    client.destroy();
  });

  it('gives a login of a hosted domain only', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    for (const [login, reply] of [
      ['user@example.test', /^250/],
      ['user@elsewhere.test', /^550 5\.7\.1 relaying/],
    ] as const) {
      const client = await greeted(port, [
        'EHLO c.test',
        `XCLIENT ADDR=192.0.2.1 LOGIN=${login}`,
        ...transaction.slice(0, 2),
      ]);
      expect(await client.command('RCPT TO:<x@elsewhere.test>')).toMatch(reply);
      client.destroy();
    }
  });

  it('ends the session where the client it names is over its limit', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    doubles.opening = () => ({ kind: 'refused', reply: replies.serviceRefused, reason: 'access rule' });
    expect(await client.command('XCLIENT ADDR=192.0.2.1')).toMatch(/^421 /);
    await client.closed();
    expect(doubles.released).toBe(1);
  });

  it.each(['ADDR=nowhere', 'PORT=99999', 'COLOUR=red', 'HELO=a+0D+0Ab', 'ADDR', ''])('refuses %j', async (argument) => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    expect(await client.command(`XCLIENT ${argument}`)).toMatch(/^501 5\.5\.4/);
    client.destroy();
  });

  it('is neither offered to nor taken from anybody else', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', xclientNetworks: ['192.0.2.0/24'] }] });
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    await client.reply();
    expect(await client.command('EHLO c.test')).not.toContain('XCLIENT');
    expect(await client.command('XCLIENT ADDR=192.0.2.1')).toMatch(/^500 5\.5\.2/);
    client.destroy();
  });
});

describe('an address that stands for many clients', () => {
  it.each([
    ['10.0.0.0/8', /^550 5\.7\.1 relaying/],
    ['10.0.0.1', /^250/],
  ])('has the relay right of %s: %s', async (network, reply) => {
    const doubles = new Doubles();
    doubles.setSnapshot({
      trustedProxies: ['127.0.0.0/8'],
      relayNetworks: [{ network, tenant: 'acme' }],
    });
    const { port } = await start(doubles, { proxyProtocol: true });
    const connect = async (): Promise<RawClient> => {
      const client = await RawClient.open(port);
      client.send('PROXY TCP4 10.0.0.1 198.51.100.1 4711 25\r\n');
      await client.reply();
      return client;
    };
    for (let count = 0; count < 200; count++) (await connect()).destroy();
    const client = await connect();
    for (const line of transaction.slice(0, 2)) await client.command(line);
    expect(await client.command('RCPT TO:<x@elsewhere.test>')).toMatch(reply);
    expect(doubles.suspicions).toEqual(['source_nat 10.0.0.1']);
    client.destroy();
  });
});

describe('before the banner', () => {
  it('refuses with a reason and the session id, and gives no lease', async () => {
    const doubles = new Doubles();
    doubles.opening = () => ({
      kind: 'refused',
      reply: replies.tooManyConnections('too many connections'),
      reason: 'limit',
    });
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    expect(await client.reply()).toMatch(/^421 4\.7\.0 too many connections, try again later \([0-9A-Z]{26}\)$/);
    await client.closed();
    expect(doubles.events.map(({ event }) => event)).toContain('edge.session.refused');
    expect(doubles.released).toBe(0);
  });

  it('gives the lease back when the client leaves, however', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const polite = await greeted(port);
    await polite.command('QUIT');
    await polite.closed();
    const rude = await greeted(port);
    rude.destroy();
    await expect.poll(() => doubles.released).toBe(2);
  });

  it('cuts off who speaks first', async () => {
    const doubles = new Doubles();
    const { promise, resolve } = Promise.withResolvers<Opening>();
    doubles.opening = () => promise;
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    client.send('EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\n');
    expect(await client.reply()).toMatch(/^421 4\.7\.0 client spoke before its turn/);
    await client.closed();
    resolve({ kind: 'admitted', release: () => doubles.released++ });
    await expect.poll(() => doubles.released).toBe(1);
    expect(client.rest).toBe('');
  });

  it('cuts off who speaks TLS on a plain port', async () => {
    const { port } = await start(new Doubles());
    const client = await RawClient.open(port);
    await client.reply();
    client.send(Buffer.from('160301020001', 'hex'));
    expect(await client.reply()).toMatch(/^421 4\.7\.0/);
    await client.closed();
  });
});

describe('before the handshake of implicit TLS', () => {
  const submissions = { name: 'submissions', role: 'submissions' } as const;
  const deny = { level: 'global', target: '', network: '127.0.0.0/8', allow: false, priority: 1 };

  it.each<[string, (doubles: Doubles) => void, string]>([
    ['a denied address', (doubles) => doubles.setSnapshot({ accessRules: [deny] }), 'access rule, before TLS'],
    [
      'a banned address',
      (doubles) => (doubles.abuse = { ...doubles.abuse, banned: () => 'spam' }),
      'banned: spam, before TLS',
    ],
    [
      'a client a proxy speaks for, denied',
      (doubles) =>
        doubles.setSnapshot({
          trustedProxies: ['127.0.0.0/8'],
          accessRules: [{ ...deny, network: '192.0.2.9' }],
        }),
      'access rule, before TLS',
    ],
  ])('%s is cut off without a byte', async (_name, prepare, reason) => {
    const doubles = new Doubles();
    prepare(doubles);
    const { port } = await start(doubles, submissions);
    const client = await RawClient.open(port);
    if (doubles.snapshot?.isTrustedProxy('127.0.0.1') === true)
      client.send('PROXY TCP4 192.0.2.9 198.51.100.1 4711 465\r\n');
    await client.closed();
    expect(client.rest).toBe('');
    expect(doubles.events).toEqual([{ event: 'edge.session.refused', facts: { detail: { reason } } }]);
    expect(doubles.refusedBeforeTls).toHaveLength(1);
  });

  it('an address has as many handshakes as it may have connections, and its place back when one is over', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ limits: { connectionsPerIp: 2 } });
    const { port } = await start(doubles, submissions);
    const silent = [await RawClient.open(port), await RawClient.open(port)];
    const third = await RawClient.open(port);
    await third.closed();
    expect(doubles.refusedBeforeTls).toEqual(['limit']);
    silent[0]?.destroy();
    const honest = await vi.waitFor(() => RawClient.open(port, true));
    expect(await honest.reply()).toMatch(/^220/);
    // Its handshake is over: the place is free though the session goes on.
    const next = await RawClient.open(port, true);
    expect(await next.reply()).toMatch(/^220/);
    for (const client of [...silent, honest, next]) client.destroy();
  });
});

describe('deadlines', () => {
  it.each([
    ['a command', [], 301_000],
    ['message bytes', [...transaction, 'DATA'], 62_000],
    ['the answer to a challenge', ['EHLO c.test', 'AUTH PLAIN'], 301_000],
  ])('end a session that waits with %s', async (_name, lines, afterMs) => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', authMechanismsPlain: ['PLAIN'] }] });
    const { port } = await start(doubles);
    const client = await greeted(port, lines);
    await clock.advance(afterMs - 2_000);
    expect(doubles.events.some(({ event }) => event === 'edge.session.aborted')).toBe(false);
    await clock.advance(2_000);
    expect(await client.reply()).toMatch(/^421 4\.4\.2/);
    expect(await client.closed()).toBe(true);
  });
});

describe('deadlines of ours', () => {
  it.each([
    ['policy', ['EHLO c.test', 'MAIL FROM:<a@sender.test>'], 'RCPT TO:<bob@example.test>', /^250/],
    ['the credential service', ['EHLO c.test'], 'AUTH PLAIN AHgAeA==', /^535/],
  ] as const)('end no session that waits for %s', async (_name, lines, command, reply) => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', authMechanismsPlain: ['PLAIN'] }] });
    const { promise, resolve } = Promise.withResolvers<void>();
    doubles.evaluate = (request) => promise.then(() => acceptAll(request));
    doubles.verify = () => promise.then(() => ({ kind: 'denied', reason: 'test' }));
    const { port } = await start(doubles);
    const client = await greeted(port, lines);
    client.send(`${command}\r\n`);
    await expect.poll(() => doubles.asked.length + doubles.logins.length).toBe(1);
    await clock.advance(400_000);
    resolve();
    expect(await client.reply()).toMatch(reply);
    client.destroy();
  });
});

describe('settings of the listener', () => {
  const mx = (settings: object) => ({ listeners: [{ name: 'mx', role: 'mx', ...settings }] });

  it('close its port and open it again, without a restart; a transaction goes on', async () => {
    const doubles = new Doubles();
    const listener = await start(doubles);
    const { port } = listener;
    const busy = await greeted(port);
    doubles.setSnapshot(mx({ disabled: true }));
    await listener.update();
    await expect(RawClient.open(port)).rejects.toThrow();
    expect(await busy.command('DATA')).toMatch(/^354/);
    busy.send('x\r\n.\r\n');
    expect(await busy.reply()).toMatch(/^250/);
    busy.destroy();
    doubles.setSnapshot(mx({}));
    await listener.update();
    expect(listener.port).toBe(port);
    const again = await RawClient.open(port);
    expect(await again.reply()).toMatch(/^220/);
    again.destroy();
  });

  it('open a port that was taken as soon as it is free', async () => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    const listener = await start(doubles);
    doubles.setSnapshot(mx({ disabled: true }));
    await listener.update();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(listener.port, '127.0.0.1', resolve));
    doubles.setSnapshot(mx({}));
    await expect(listener.update()).rejects.toThrow(/EADDRINUSE/);
    await clock.advance(11_000);
    await expect.poll(() => doubles.refusedSettings.length).toBe(1);
    await new Promise((resolve) => other.close(resolve));
    await clock.advance(11_000);
    await expect.poll(() => RawClient.open(listener.port).then((client) => client.destroy())).toBeUndefined();
  });

  it('give it a name and a banner of its own, also in the trace header', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(mx({ hostname: 'in.partner.test', banner: 'ready' }));
    const { port } = await start(doubles);
    const client = await RawClient.open(port);
    expect(await client.reply()).toBe('220 in.partner.test ready');
    expect(await client.command('EHLO c.test')).toMatch(/^250-in\.partner\.test/);
    for (const line of [...transaction.slice(1), 'DATA']) await client.command(line);
    client.send('x\r\n.\r\n');
    await client.reply();
    expect(doubles.stored[0]?.envelope.renderings[0]?.edits[0]?.value).toContain('by in.partner.test');
    client.destroy();
  });
});

describe('drain', () => {
  it('sends idle clients away, lets a transaction finish, then resolves', async () => {
    const doubles = new Doubles();
    const listener = await start(doubles);
    const idle = await greeted(listener.port, ['EHLO c.test']);
    const busy = await greeted(listener.port);
    doubles.draining = true;
    const drained = listener.drain();
    expect(await idle.reply()).toMatch(/^421 4\.3\.2/);
    expect(await busy.command('DATA')).toMatch(/^354/);
    busy.send('x\r\n.\r\n');
    expect(await busy.reply()).toMatch(/^250/);
    expect(await busy.command('NOOP')).toMatch(/^421 4\.3\.2/);
    await drained;
    expect(doubles.stored).toHaveLength(1);
  });
});

describe('policy', () => {
  it('is asked once for a pipelined group, with every stage and all facts', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    client.send('MAIL FROM:<a@sender.test>\r\nRCPT TO:<a@example.test>\r\nRCPT TO:<b@example.test>\r\n');
    for (let index = 0; index < 3; index++) expect(await client.reply()).toMatch(/^250/);
    expect(doubles.asked).toHaveLength(1);
    expect(doubles.asked[0]).toMatchObject({ stages: [1, 2, 4, 5], sequence: 1 });
    expect(doubles.asked[0]?.facts?.recipients.map(({ address }) => address)).toEqual([
      'a@example.test',
      'b@example.test',
    ]);
    await client.command('RSET');
    await client.command('MAIL FROM:<a@sender.test>');
    await client.command('RCPT TO:<c@example.test>');
    expect(doubles.asked[1]).toMatchObject({ stages: [4, 5], sequence: 2 });
    client.destroy();
    await expect.poll(() => doubles.ended.length).toBe(1);
  });
});

describe('refused recipients of a pipelined group', () => {
  const group = (count: number) =>
    Array.from({ length: count }, (_, index) => `RCPT TO:<u${index}@example.test>\r\n`).join('');

  /** Knows no recipient, answers errors from the third on late; `sleep` is what waiting does. */
  async function hostile(sleep: (ms: number) => Promise<void>) {
    const doubles = new Doubles();
    const failed: string[] = [];
    doubles.evaluate = (request) => {
      const answer = acceptAll(request);
      if (answer.kind !== 'verdict') return answer;
      const decision = Decision.fromPartial({ action: Action.REJECT });
      const recipients = answer.verdict.recipients.map((recipient) => ({ ...recipient, decision }));
      return { kind: 'verdict', verdict: { ...answer.verdict, recipients } };
    };
    doubles.setSnapshot({ limits: { recipients: 1_000, errorsPerSession: 6 } });
    doubles.clock = Object.assign(new FakeClock(), { sleep });
    doubles.abuse = {
      ...doubles.abuse,
      tarpitMs: ({ errors }) => (errors < 2 ? 0 : errors * 10),
      failed: (_session, kind) => void failed.push(kind),
    };
    const { port } = await start(doubles);
    return { client: await greeted(port, transaction.slice(0, 2)), failed };
  }

  it('are answered up to the limit of errors, each later than the one before, and all counted for the address', async () => {
    const slept: number[] = [];
    const { client, failed } = await hostile(async (ms) => void slept.push(ms));
    client.send(group(100));
    for (let index = 0; index < 6; index++) expect(await client.reply()).toMatch(/^550 5\.1\.1 /);
    expect(await client.reply()).toMatch(/^421 4\.7\.0 too many errors/);
    await client.closed();
    expect(client.rest).toBe('');
    expect(slept).toEqual([20, 30, 40, 50]);
    expect(failed).toEqual(Array(100).fill('unknown_recipient'));
  });

  it('are all counted of a client that does not wait for the answers', async () => {
    const { client, failed } = await hostile(async () => {
      client.destroy();
      await expect.poll(() => open?.sessions).toBe(0);
    });
    client.send(group(5));
    await expect.poll(() => failed).toEqual(Array(5).fill('unknown_recipient'));
  });
});

describe('segmentation', () => {
  it('gives the same replies for the same bytes, however they are cut', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const wire = Buffer.from(
      'EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<bob@example.test>\r\nNOOP\r\nDATA\r\n..x\r\nhello\r\n.\r\nRSET\r\nBOGUS\r\nQUIT\r\n',
    );
    const run = async (cuts: readonly number[]): Promise<string> => {
      const client = await RawClient.open(port);
      await client.reply();
      let at = 0;
      for (const cut of [...[...cuts].sort((a, b) => a - b), wire.length]) {
        if (cut <= at) continue;
        client.send(wire.subarray(at, cut));
        at = cut;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await client.closed();
      return client.rest.replace(/[0-9A-Z]{26}/g, 'ID');
    };
    const whole = await run([]);
    expect(whole).toContain('250 2.6.0 queued as ID');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(wire.length), { maxLength: 12 }), async (cuts) => {
        expect(await run(cuts)).toBe(whole);
        expect(doubles.stored.at(-1)?.body.toString()).toBe('.x\r\nhello\r\n');
      }),
      { numRuns: 60 },
    );
  });
});

describe('size', () => {
  it('refuses a message that grows beyond the limit, and keeps the session', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ limits: { messageSize: 10_000 } });
    const { port } = await start(doubles);
    const client = await greeted(port);
    await client.command('DATA');
    client.send(`${'x'.repeat(78)}\r\n`.repeat(1_000));
    client.send('.\r\n');
    expect(await client.reply()).toMatch(/^552 5\.3\.4/);
    expect(await client.command('NOOP')).toMatch(/^250/);
    expect(doubles.stored).toHaveLength(0);
    expect(doubles.aborted).toBe(1);
    client.destroy();
  });

  it('closes on a client that does not stop', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ limits: { messageSize: 10_000 } });
    const { port } = await start(doubles);
    const client = await greeted(port);
    await client.command('DATA');
    const megabyte = `${'x'.repeat(1_022)}\r\n`.repeat(1_024);
    for (let sent = 0; sent < 20; sent++) client.send(megabyte);
    expect(await client.reply()).toMatch(/^552 5\.3\.4/);
    await client.closed();
  });
});

describe('deadlines the operator set', () => {
  it.each<[string, object, RegExp]>([
    ['a command that does not come', { commandMs: 1_500 }, /^421 4\.4\.2/],
    ['a session that goes on and on', { sessionMs: 1_500 }, /^421 4\.4\.2/],
  ])('end %s', async (_name, deadlines, expected) => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.setSnapshot({ deadlines });
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    await clock.advance(1_000);
    expect(await client.command('NOOP')).toMatch(/^250/);
    await clock.advance(3_000);
    expect(await client.reply()).toMatch(expected);
    client.destroy();
  });
});
