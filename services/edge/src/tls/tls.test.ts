/** TLS of a listener over real handshakes: bounds, SNI, client certificates, resumption across pods, certificates swapped under running sessions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { FakeClock } from '@postern/clock';
import { testAuthority } from '@postern/testkit';
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listener } from '../listener.js';
import { Doubles } from '../testing/doubles.js';
import { type Certificate, namesOf, readTlsMaterial, type TlsMaterial, watchTlsMaterial } from './certificate-files.js';
import { ticketEpochMs } from './ticket-keys.js';

const authority = testAuthority();
const opened: Listener[] = [];

afterEach(async () => {
  await Promise.all(
    opened.splice(0).map(async (listener) => {
      listener.destroy();
      await listener.drain();
    }),
  );
});

function certificate(name: string, names: readonly string[], kind: 'ec' | 'rsa' = 'ec'): Certificate {
  const { key, cert } = authority.issue(names, kind);
  return { name, key: Buffer.from(key), cert: Buffer.from(cert), names: namesOf(Buffer.from(cert)) };
}

const material = (...certificates: Certificate[]): TlsMaterial => ({ certificates, ticketSeed: undefined });
const main = certificate('main', ['mx.one.test']);

async function listen(doubles: Doubles, tls: object = {}): Promise<Listener> {
  doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', tls }] });
  const listener = await doubles.listen({ name: 'submissions', role: 'submissions' });
  opened.push(listener);
  return listener;
}

interface Shaken {
  readonly socket: TLSSocket;
  readonly greeting: string;
  /** A ticket to come back with; that of TLS 1.3 comes after the handshake. */
  readonly ticket: Promise<Buffer>;
}

/** A handshake and the greeting; rejects where either does not come. */
function shake(port: number, options: ConnectionOptions = {}): Promise<Shaken> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    const ticket = new Promise<Buffer>((taken) => socket.once('session', taken));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('data', (data: Buffer) => resolve({ socket, greeting: data.toString(), ticket }));
  });
}

const commonName = ({ socket }: Shaken): string => String(socket.getPeerCertificate().subject.CN);

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
    doubles.tls = material({ name: 'rsa', key: Buffer.from(key), cert: Buffer.from(cert), names: [] });
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

describe('certificates', () => {
  it.each([
    ['mx.two.test', 'mx.two.test'],
    ['MX.TWO.test', 'mx.two.test'],
    ['a.wild.test', '*.wild.test'],
    ['a.b.wild.test', 'mx.one.test'],
    ['unknown.test', 'mx.one.test'],
    [undefined, 'mx.one.test'],
  ])('for the name %s is that of %s', async (servername, expected) => {
    const doubles = new Doubles();
    doubles.tls = material(main, certificate('two', ['mx.two.test']), certificate('wild', ['*.wild.test']));
    const { port } = await listen(doubles);
    const shaken = await shake(port, servername === undefined ? {} : { servername });
    expect(commonName(shaken)).toBe(expected);
    shaken.socket.destroy();
  });

  it.each([
    ['an ECDSA client', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ec'],
    ['an RSA client', 'ECDHE-RSA-AES128-GCM-SHA256', 'rsa'],
  ])('of two kinds of key for one name: %s gets its own, by name and without one', async (_name, ciphers, kind) => {
    const doubles = new Doubles();
    doubles.tls = material(
      certificate('ec', ['mx.two.test']),
      certificate('rsa', ['mx.one.test', 'mx.two.test'], 'rsa'),
      certificate('spare', ['mx.two.test'], 'rsa'),
      certificate('other', ['mx.three.test'], 'rsa'),
    );
    const { port } = await listen(doubles);
    for (const servername of ['mx.two.test', 'unknown.test', undefined]) {
      const shaken = await shake(port, {
        ciphers,
        maxVersion: 'TLSv1.2',
        ...(servername === undefined ? {} : { servername }),
      });
      const shown = shaken.socket.getPeerX509Certificate();
      expect(shown?.publicKey.asymmetricKeyType).toBe(kind);
      expect(shown?.subjectAltName).toContain('mx.two.test');
      shaken.socket.destroy();
    }
    for (const servername of ['mx.one.test', 'mx.three.test']) {
      const shaken = await shake(port, { servername });
      expect(shaken.socket.getPeerX509Certificate()?.subjectAltName).toContain(servername);
      shaken.socket.destroy();
    }
  });

  describe('of two kinds of key for a name other than the first', () => {
    const ofTwo = material(
      main,
      certificate('ec', ['mx.two.test', 'mx.two.example']),
      certificate('rsa', ['mx.two.test'], 'rsa'),
      certificate('exact', ['a.wild.test']),
      certificate('wild', ['*.wild.test'], 'rsa'),
    );
    const ecdsa: ConnectionOptions = { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' };
    const rsa: ConnectionOptions = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' };
    const rsa13: ConnectionOptions = { minVersion: 'TLSv1.3', sigalgs: 'rsa_pss_rsae_sha256' };
    const kinds = [
      ['mx.two.test', ecdsa, 'ec', 'mx.two.test'],
      ['mx.two.test', rsa, 'rsa', 'mx.two.test'],
      ['mx.two.test', rsa13, 'rsa', 'mx.two.test'],
      ['mx.two.test', {}, 'ec', 'mx.two.test'],
      ['mx.two.example', ecdsa, 'ec', 'mx.two.example'],
      ['a.wild.test', ecdsa, 'ec', 'a.wild.test'],
      ['a.wild.test', rsa, 'rsa', '*.wild.test'],
      ['b.wild.test', rsa, 'rsa', '*.wild.test'],
      ['unknown.test', ecdsa, 'ec', 'mx.one.test'],
      [undefined, {}, 'ec', 'mx.one.test'],
    ] as const;
    const pipelined = 'NOOP\r\nEHLO evil.test\r\nMAIL FROM:<a@sender.test>\r\n';
    const greeted = async (): Promise<RawClient> => {
      const doubles = new Doubles();
      doubles.tls = ofTwo;
      const listener = await doubles.listen({ name: 'mx', role: 'mx' });
      opened.push(listener);
      const client = await RawClient.open(listener.port);
      await client.reply();
      await client.command('EHLO c.test');
      return client;
    };
    const expectShown = (socket: TLSSocket, kind: string, name: string): void => {
      const shown = socket.getPeerX509Certificate();
      expect(shown?.publicKey.asymmetricKeyType).toBe(kind);
      expect(shown?.subjectAltName).toContain(`DNS:${name}`);
      socket.destroy();
    };

    it.each(kinds)('%s, %j: %s of %s', async (servername, client, kind, name) => {
      const doubles = new Doubles();
      doubles.tls = ofTwo;
      const { port } = await listen(doubles);
      const { socket, greeting } = await shake(port, {
        ...client,
        ...(servername === undefined ? {} : { servername }),
      });
      expect(greeting).toMatch(/^220 /);
      expectShown(socket, kind, name);
    });

    it.each(kinds)('%s, %j: %s of %s after STARTTLS', async (servername, client, kind, name) => {
      const plain = await greeted();
      expect(await plain.command('STARTTLS')).toMatch(/^220 /);
      const socket = await plain.startTls({ ...client, ...(servername === undefined ? {} : { servername }) });
      expect(await plain.command('EHLO c.test')).toMatch(/^250-/);
      expectShown(socket, kind, name);
    });

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of that name is resumed, %s', async (maxVersion) => {
      const doubles = new Doubles();
      doubles.tls = ofTwo;
      const { port } = await listen(doubles);
      const client = { servername: 'mx.two.test', maxVersion };
      const first = await shake(port, client);
      const second = await shake(port, { ...client, session: await first.ticket });
      expect(second.socket.isSessionReused()).toBe(true);
      first.socket.destroy();
      second.socket.destroy();
    });

    it('what is pipelined behind STARTTLS in plain does not run', async () => {
      const client = await greeted();
      client.send(`STARTTLS\r\n${pipelined}`);
      expect(await client.reply()).toMatch(/^220 /);
      await client.startTls({ servername: 'mx.two.test' });
      expect(await client.command('RCPT TO:<b@example.test>')).toMatch(/^503 /);
      expect(client.rest).toBe('');
      client.destroy();
    });

    it('plain text in place of a hello ends the connection', async () => {
      const client = await greeted();
      expect(await client.command('STARTTLS')).toMatch(/^220 /);
      client.send(pipelined);
      await client.closed();
      expect(client.rest).not.toMatch(/^\d{3}[ -]/m);
    });

    it('a client that goes away before its hello leaves nothing behind', async () => {
      const doubles = new Doubles();
      doubles.tls = ofTwo;
      const { port } = await listen(doubles);
      const client = await RawClient.open(port);
      client.send(Buffer.from([0x16, 0x03, 0x01, 0x02]));
      client.destroy();
      await expect.poll(() => doubles.tlsFailures).toEqual([expect.stringMatching(/^127\.0\.0\.1 /)]);
    });
  });

  it('of a listener are those it names', async () => {
    const doubles = new Doubles();
    doubles.tls = material(main, certificate('two', ['mx.two.test']));
    const { port } = await listen(doubles, { certificates: ['two'] });
    const shaken = await shake(port, { servername: 'mx.one.test' });
    expect(commonName(shaken)).toBe('mx.two.test');
    shaken.socket.destroy();
  });

  it('that a listener names and this pod has not are told', async () => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    await listen(doubles, { certificates: ['nix'] });
    expect(doubles.refusedSettings).toEqual([
      expect.stringMatching(/^listeners\.\w+\.tls\.certificates\[0\]: "nix" is not allowed; expected one of main$/),
    ]);
  });

  it('are swapped when their files change, and no session notices', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postern-tls-'));
    const files = { name: 'default', certFile: join(folder, 'c.pem'), keyFile: join(folder, 'k.pem') };
    const write = async (name: string): Promise<void> => {
      const { key, cert } = authority.issue([name]);
      await Promise.all([writeFile(files.keyFile, key), writeFile(files.certFile, cert)]);
    };
    await write('old.test');
    const clock = new FakeClock();
    const doubles = new Doubles();
    doubles.tls = await readTlsMaterial([files], undefined);
    const listener = await listen(doubles);
    const refused: string[] = [];
    const timer = watchTlsMaterial(() => readTlsMaterial([files], undefined), doubles.tls, clock, {
      onChanged: (fresh) => {
        doubles.tls = fresh;
        void listener.update();
      },
      onRefused: (reason) => refused.push(reason),
    });
    const before = await RawClient.open(listener.port, true);
    expect(await before.reply()).toMatch(/^220/);
    await writeFile(files.keyFile, 'no key');
    await clock.advance(10_000);
    await expect.poll(() => refused.length).toBe(1);
    expect(commonName(await shake(listener.port))).toBe('old.test');
    await write('new.test');
    await clock.advance(10_000);
    await expect.poll(async () => commonName(await shake(listener.port))).toBe('new.test');
    expect(await before.command('EHLO c.test')).toMatch(/^250/);
    before.destroy();
    timer.cancel();
    await rm(folder, { recursive: true });
  });
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
    ['none', {}, false],
    ['one of another authority', stranger, false],
    ['a valid one', client, true],
  ])('where required: %s', async (_name, shown, works) => {
    const doubles = new Doubles();
    doubles.tls = material(main);
    const { port } = await listen(doubles, { ...asked, clientCertificates: 'require' });
    const shaken = await shake(port, shown).catch(() => undefined);
    expect(shaken !== undefined).toBe(works);
    shaken?.socket.destroy();
    if (!works) await expect.poll(() => doubles.tlsFailures.length).toBe(1);
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
    ['SMTP in plain', 'EHLO client.test\r\n', /plain text where a TLS handshake was due/],
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
    listener.destroy();
  });
});
