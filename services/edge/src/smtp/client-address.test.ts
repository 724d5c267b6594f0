/** Whose mail it is over real sockets: PROXY headers, XCLIENT, and an address that stands for many clients. */
import { replies } from '@postern/smtp-core';
import { RawClient } from '@postern/testkit/smtp';
import { describe, expect, it } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { greeted, transaction, withFront } from '../testing/front.js';

const { start } = withFront();

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
    // Whoever was told an id finds it in the trace; for one told nothing there is the log.
    const told = /\(([0-9A-Z]{26})\)/.exec(client.rest)?.[1];
    expect(doubles.events).toMatchObject([
      {
        event: 'edge.proxy.refused',
        session: { clientAddress: '127.0.0.1' },
        facts: { detail: { reason: expect.any(String) } },
      },
    ]);
    expect(doubles.events[0]?.facts?.untraced).toBe(told === undefined ? true : undefined);
    if (told !== undefined)
      expect(doubles.events[0]).toMatchObject({ session: { id: told }, facts: { reply: { code: 421 } } });
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

  it('gives no right to a login that could not be used, and judges nobody while that is not known', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const relayed = async (user: string): Promise<string | undefined> => {
      const named = [`XCLIENT ADDR=192.0.2.1 LOGIN=${user}`, ...transaction.slice(0, 2)];
      const client = await greeted(port, ['EHLO c.test', ...named]);
      const reply = await client.command('RCPT TO:<x@elsewhere.test>');
      client.destroy();
      return reply?.slice(0, 9);
    };
    doubles.standing = () => ({ kind: 'unusable', isKnown: true, reason: 'disabled' });
    expect(await relayed('user@example.test')).toBe('550 5.7.1');
    const told = doubles.events.find(({ event }) => event === 'edge.session.forwarded');
    expect(told?.facts?.detail).toMatchObject({ not_user: 'user@example.test', reason: 'disabled' });
    expect(await relayed('user@xn--bcher-kva.test')).toBe('550 5.7.1');
    doubles.standing = () => ({ kind: 'unusable', isKnown: false, reason: 'unknown user' });
    expect(await relayed('user@example.test')).toBe('550 5.7.1');
    // Its addresses are not all known here.
    expect(await relayed('user@xn--bcher-kva.test')).toBe('250 2.1.5');

    doubles.standing = () => ({ kind: 'unavailable', reason: 'away' });
    const unknown = await greeted(port, ['EHLO c.test']);
    expect(await unknown.command('XCLIENT ADDR=192.0.2.1 LOGIN=user@example.test')).toMatch(/^421 4\.3\.2 /);
    await unknown.closed();
    expect(doubles.events.some(({ event }) => event === 'edge.login.unavailable')).toBe(true);
  });

  it.each([
    ['denied', replies.serviceRefused, 'access rule 203.0.113.0/24 of mx', /^554 5\.7\.1 /],
    ['over its limit', replies.tooManyConnections('no more than 1', 1_000), 'mx limit 1', /^421 4\.7\.0 /],
  ])('ends the session where the client it names is %s', async (_name, refusal, reason, answer) => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    doubles.opening = () => ({ kind: 'refused', reply: refusal, reason });
    expect(await client.command('XCLIENT ADDR=192.0.2.1')).toMatch(answer);
    await client.closed();
    expect(doubles.released).toBe(1);
    const told = doubles.events.find(({ event }) => event === 'edge.session.refused');
    expect(told?.facts?.detail).toEqual({ reason });
  });

  it.each([
    ['ADDR=nowhere', 'bad or repeated parameter ADDR'],
    ['ADDR=192.0.2.1 DESTADDR=here', 'bad or repeated parameter DESTADDR'],
    ['PORT=99999', 'bad or repeated parameter PORT'],
    ['colour=red', 'bad or repeated parameter COLOUR'],
    ['HELO=a+0D+0Ab', 'bad or repeated parameter HELO'],
    ['ADDR=192.0.2.1 ADDR=192.0.2.2', 'bad or repeated parameter ADDR'],
    ['LOGIN=[UNAVAILABLE] login=user@example.test', 'bad or repeated parameter LOGIN'],
    ['ADDR', 'syntax error in parameters'],
    ['', 'syntax error in parameters'],
  ])('refuses %j', async (argument, words) => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    expect(await client.command(`XCLIENT ${argument}`)).toContain(`501 5.5.4 ${words}`);
    expect(doubles.events.some(({ event }) => event === 'edge.session.forwarded')).toBe(false);
    client.destroy();
  });

  it.each([
    ['user@foreign.test', 'domain is not hosted here'],
    ['user', 'is no address user@domain'],
  ])('tells of a LOGIN that is nobody here: %s', async (login, reason) => {
    const doubles = new Doubles();
    doubles.setSnapshot(filtered);
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test', `XCLIENT ADDR=192.0.2.1 LOGIN=${login}`]);
    const told = doubles.events.find(({ event }) => event === 'edge.session.forwarded');
    expect(told?.facts?.detail).toMatchObject({ not_user: login, reason });
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
