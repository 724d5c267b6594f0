/** TLS of a listener over real handshakes: bounds, client certificates, resumption across pods, handshakes that fail. */
import { FakeClock } from '@postern/clock';
import { testAuthority } from '@postern/testkit';
import { RawClient } from '@postern/testkit/smtp';
import { describe, expect, it } from 'vitest';
import type { Listener } from '../listener.js';
import { Doubles } from '../testing/doubles.js';
import { greeted } from '../testing/front.js';
import { authority, certificate, main, material, shake, withTlsFront } from '../testing/tls-front.js';
import { ticketEpochMs } from './ticket-keys.js';

const { listen, start } = withTlsFront();

describe('bounds', () => {
  it.each([
    ['TLS 1.1 by default', {}, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }, false],
    ['TLS 1.2 by default', {}, { maxVersion: 'TLSv1.2' }, true],
    ['TLS 1.2 where 1.3 is the lowest', { minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }, false],
    ['TLS 1.3 where 1.2 is the highest', { maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }, false],
    [
      'a cipher that is not listed',
      { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' },
      { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
      false,
    ],
    ['a curve that is not listed', { curves: 'P-384' }, { ecdhCurve: 'X25519' }, false],
    ['a curve that is listed', { curves: 'P-384' }, { ecdhCurve: 'P-384' }, true],
  ] as const)('%s', async (_name, settings, client, works) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles, settings);
    const shaken = await shake(port, {
      ...client,
      ...('ciphers' in client ? {} : { ciphers: 'DEFAULT@SECLEVEL=0' }),
    }).catch(() => undefined);
    expect(shaken !== undefined).toBe(works);
    shaken?.socket.destroy();
    if (!works) await expect.poll(() => doubles.tlsFailures.length).toBe(1);
  });

  it.each([
    [{}, false],
    [{ dhParameters: 'auto' }, true],
  ])('DHE with %j', async (settings, works) => {
    const { key, cert } = authority.issue(['mx.one.test'], 'rsa');
    const doubles = new Doubles();
    const files = { key: Buffer.from(key), cert: Buffer.from(cert) };
    doubles.tls = material({ name: 'rsa', ...files, names: [], expiresAtMs: Number.POSITIVE_INFINITY });
    const { port } = await listen(doubles, settings);
    const shaken = await shake(port, { ciphers: 'DHE-RSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' }).catch(
      () => undefined,
    );
    expect(shaken !== undefined).toBe(works);
    shaken?.socket.destroy();
  });

  it('keeps what it had where OpenSSL does not take the new settings', async () => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const listener = await listen(doubles);
    doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', tls: { ciphers: 'NO-SUCH' } }] });
    await listener.update();
    expect(doubles.refusedSettings).toHaveLength(1);
    (await shake(listener.port)).socket.destroy();
  });
});

it('keeps what it had where no certificate fits the new ciphers, and says so until they fit', async () => {
  const doubles = new Doubles();
  doubles.tls = material(main);
  const listener = await listen(doubles);
  const set = async (tls: object): Promise<void> => {
    doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', tls }] });
    await listener.update();
    (await shake(listener.port)).socket.destroy();
  };
  await set({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' });
  const refused = /^listeners\.submissions\.tls\.ciphers: names suites for RSA only, but the certificates are of ECDSA/;
  expect(doubles.refusedSettings).toEqual([expect.stringMatching(refused)]);
  expect(listener.disagreements).toEqual([expect.stringMatching(refused)]);
  await set({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' });
  expect(listener.disagreements).toEqual([]);
});

describe('client certificates', () => {
  const client = authority.issue(['relay.partner.test']);
  const stranger = testAuthority('another').issue(['relay.partner.test']);
  const asked = { clientCertificates: 'request', clientCa: authority.certificate };

  it.each([
    ['a valid one', asked, client, true],
    ['one of another authority', asked, stranger, false],
    ['one where no authority is configured', { clientCertificates: 'request' }, client, false],
  ])('tell policy of %s', async (_name, settings, shown, verified) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles, settings);
    doubles.setSnapshot({
      listeners: [{ name: 'submissions', role: 'submissions', requireAuth: false, tls: settings }],
    });
    const { socket } = await shake(port, shown);
    socket.write('EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<bob@example.test>\r\n');
    await expect.poll(() => doubles.asked.length).toBe(1);
    expect(doubles.asked[0]?.facts?.clientCertificate).toMatchObject({
      verified,
      subject: 'CN=relay.partner.test',
      names: ['relay.partner.test'],
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    socket.destroy();
    const told = doubles.events.filter(({ event }) => event === 'edge.certificate.disregarded');
    const unknown = {
      reason: 'the client certificate is of no authority in tls.clientCaFile',
      certificate: 'CN=relay.partner.test',
    };
    expect(told.map(({ facts }) => facts?.detail)).toMatchObject(verified ? [] : [unknown]);
  });

  it('are not asked for unless it is said', async () => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles);
    doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', requireAuth: false }] });
    const { socket } = await shake(port, client);
    socket.write('EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<bob@example.test>\r\n');
    await expect.poll(() => doubles.asked.length).toBe(1);
    expect(doubles.asked[0]?.facts?.clientCertificate).toBeUndefined();
    socket.destroy();
  });

  it.each([
    ['none', {}, 'no client certificate'],
    ['one of another authority', stranger, 'the client certificate is of no authority in tls.clientCaFile'],
    ['a valid one', client, undefined],
  ])('where required: %s', async (_name, shown, refusal) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles, { ...asked, clientCertificates: 'require' });
    const shaken = await shake(port, shown).catch(() => undefined);
    expect(shaken === undefined).toBe(refusal !== undefined);
    shaken?.socket.destroy();
    const told = refusal === undefined ? [] : [`127.0.0.1 ${refusal}`];
    await expect.poll(() => doubles.tlsFailures).toEqual(told);
  });

  it('give a relay right by their fingerprint only while they are valid', async () => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles, asked);
    for (const [shown, reply] of [
      [client, '250 2.1.5'],
      [stranger, '550 5.7.1'],
    ] as const) {
      const { socket } = await shake(port, shown);
      const fingerprint = (socket.getX509Certificate()?.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
      doubles.setSnapshot({
        listeners: [{ name: 'submissions', role: 'submissions', requireAuth: false, tls: asked }],
        relayCertificates: [{ fingerprint, tenant: 'acme' }],
      });
      let said = '';
      socket.on('data', (data: Buffer) => {
        said += data.toString();
      });
      socket.write('EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<x@elsewhere.test>\r\n');
      await expect.poll(() => said).toContain(reply);
      socket.destroy();
    }
  });
});

it('a client that offers a protocol by ALPN, or asks for a stapled answer, is served all the same', async () => {
  const doubles = new Doubles();
  doubles.tls = material(main);
  const { port } = await listen(doubles);
  const { socket, greeting } = await shake(port, { ALPNProtocols: ['smtp'], requestOCSP: true });
  expect(greeting).toMatch(/^220 /);
  expect(socket.alpnProtocol).toBe(false);
  socket.destroy();
});

describe('session tickets', () => {
  const resumed = async (from: Listener, to: Listener, version: 'TLSv1.2' | 'TLSv1.3'): Promise<boolean> => {
    const first = await shake(from.port, { maxVersion: version });
    const second = await shake(to.port, { maxVersion: version, session: await first.ticket });
    const reused = second.socket.isSessionReused();
    first.socket.destroy();
    second.socket.destroy();
    return reused;
  };
  const pod = async (seed: string | undefined, clock: FakeClock): Promise<Listener> => {
    const doubles = new Doubles();
    doubles.clock = clock;
    doubles.tls = { ...material(main), ticketSeed: seed === undefined ? undefined : Buffer.from(seed) };
    return listen(doubles);
  };

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('are taken by every pod with the same file, %s', async (version) => {
    const clock = new FakeClock();
    const [one, two, other, none] = await Promise.all([
      pod('a seed', clock),
      pod('a seed', clock),
      pod('another', clock),
      pod(undefined, clock),
    ]);
    expect(await resumed(one, one, version)).toBe(true);
    expect(await resumed(one, two, version)).toBe(true);
    expect(await resumed(one, other, version)).toBe(false);
    expect(await resumed(one, none, version)).toBe(false);
  });

  it('change their keys with the time, on every pod alike', async () => {
    const clock = new FakeClock();
    const [one, two] = await Promise.all([pod('a seed', clock), pod('a seed', clock)]);
    const before = await shake(one.port);
    const session = await before.ticket;
    await clock.advance(ticketEpochMs);
    const after = await shake(two.port, { session });
    expect(after.socket.isSessionReused()).toBe(false);
    expect(await resumed(one, two, 'TLSv1.3')).toBe(true);
    before.socket.destroy();
    after.socket.destroy();
  });
});

describe('a port that begins with TLS', () => {
  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n', /HTTP where a TLS handshake was due/],
    ['SMTP in plain', 'EHLO client.test\r\n', /plain text or other bytes where a TLS handshake was due/],
    ['junk', '\x80\xff\x00\x01\x02\x03\x04\x05', /plain text or other bytes where a TLS handshake was due/],
  ])('tells the log of %s', async (_name, text, expected) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles);
    const client = await RawClient.open(port);
    client.send(text);
    await client.closed();
    await expect.poll(() => doubles.tlsFailures[0]).toMatch(expected);
    expect(doubles.tlsFailures[0]).toContain('127.0.0.1');
  });
});

describe('a handshake of STARTTLS that fails is told once', () => {
  it.each<[string, (client: RawClient) => unknown, RegExp]>([
    [
      'an alert before a hello',
      (client) => client.send(Buffer.from('15030100020230', 'hex')),
      /^127\.0\.0\.1 unexpected message$/,
    ],
    ['plain text', (client) => client.send('NOOP\r\n'), /^127\.0\.0\.1 plain text/],
    [
      'too old',
      (client) =>
        client
          .startTls({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' })
          .catch(() => undefined),
      /^127\.0\.0\.1 unsupported protocol/,
    ],
  ])('%s', async (_name, shakes, expected) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const listener = await doubles.listen();
    const client = await RawClient.open(listener.port);
    await client.reply();
    await client.command('EHLO c.test');
    await client.command('STARTTLS');
    await shakes(client);
    await expect.poll(() => doubles.events.some(({ event }) => event === 'edge.session.closed')).toBe(true);
    client.destroy();
    expect(doubles.tlsFailures).toEqual([expect.stringMatching(expected)]);
    const ids = new Set(doubles.events.map(({ session }) => session.id));
    expect(ids.size).toBe(1);
    listener.destroy();
  });
});

describe('whose handshake came to nothing', () => {
  const header = 'PROXY TCP4 192.0.2.9 198.51.100.1 4711 465\r\n';

  it.each<[string, (client: RawClient) => void, RegExp, boolean | undefined]>([
    ['says plain text', (client) => client.send('EHLO c.test\r\n'), /^192\.0\.2\.9 plain text/, undefined],
    ['only closes', (client) => client.destroy(), /^192\.0\.2\.9 connection closed/, true],
  ])('is the client behind a trusted proxy that %s', async (_name, acts, expected, untraced) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    doubles.setSnapshot({ trustedProxies: ['127.0.0.0/8'] });
    const { port } = await start(doubles, { name: 'submissions', role: 'submissions', proxyProtocol: true });
    const client = await RawClient.open(port);
    client.send(header);
    acts(client);
    await expect.poll(() => doubles.tlsFailures).toEqual([expect.stringMatching(expected)]);
    expect(doubles.events[0]?.facts?.untraced).toBe(untraced);
    client.destroy();
  });
});

describe('a handshake that is not over in time', () => {
  const hello = Buffer.from([0x16, 0x03, 0x01, 0x02]);
  const longHello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);

  it.each([
    ['by the first certificate', [main]],
    [
      'by the name asked for',
      [main, certificate('two-ec', ['mx.two.test']), certificate('two-rsa', ['mx.two.test'], 'rsa')],
    ],
  ])(
    'ends a connection of a port that begins with TLS and sends an octet now and then, chosen %s, and says so',
    async (_name, certificates) => {
      const doubles = new Doubles();
      const clock = new FakeClock();
      doubles.clock = clock;
      doubles.tls = material(...certificates);
      const { port } = await listen(doubles);
      const client = await RawClient.open(port);
      await expect.poll(() => clock.pendingTimers).toBeGreaterThan(1);
      for (const octet of [...longHello, ...Buffer.alloc(18)]) {
        client.send(Buffer.from([octet]));
        await clock.advance(1_000);
      }
      expect(doubles.tlsFailures).toEqual([]);
      await clock.advance(1_000);
      await client.closed();
      await expect.poll(() => doubles.tlsFailures).toEqual(['127.0.0.1 no handshake within 30 s']);
      client.destroy();
    },
  );

  it('ends the session after STARTTLS, and says so once', async () => {
    const doubles = new Doubles();
    const clock = new FakeClock();
    doubles.clock = clock;
    doubles.tls = material(main);
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test', 'STARTTLS']);
    client.send(hello);
    await clock.advance(301_000);
    await client.closed();
    expect(client.rest).toBe('');
    const reason = 'deadlines.command: no TLS handshake within 300 s';
    await expect.poll(() => doubles.tlsFailures).toEqual([`127.0.0.1 ${reason}`]);
    const aborted = doubles.events.filter(({ event }) => event === 'edge.session.aborted');
    expect(aborted).toMatchObject([{ facts: { detail: { reason }, limit: { name: 'command_time' } } }]);
    client.destroy();
  });
});
