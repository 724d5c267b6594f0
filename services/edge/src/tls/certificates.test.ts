/** Certificates of a listener over real handshakes: chosen by name and kind of key, swapped under running sessions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { FakeClock } from '@postern/clock';
import { RawClient } from '@postern/testkit/smtp';
import { describe, expect, it } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { authority, certificate, commonName, main, material, shake, withTlsFront } from '../testing/tls-front.js';
import { readTlsMaterial, watchTlsMaterial } from './certificate-files.js';

const { listen, start } = withTlsFront();

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
      const listener = await start(doubles);
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
    const kept = { name: 'kept', certFile: join(folder, 'other.pem'), keyFile: join(folder, 'other.key') };
    const other = authority.issue(['kept.test']);
    await Promise.all([writeFile(kept.keyFile, other.key), writeFile(kept.certFile, other.cert)]);
    const write = async (name: string): Promise<void> => {
      const { key, cert } = authority.issue([name]);
      await Promise.all([writeFile(files.keyFile, key), writeFile(files.certFile, cert)]);
    };
    await write('old.test');
    const clock = new FakeClock();
    const doubles = new Doubles();
    doubles.tls = await readTlsMaterial([files, kept], undefined);
    const listener = await listen(doubles);
    const refused: string[] = [];
    const changed: string[] = [];
    const timer = watchTlsMaterial(() => readTlsMaterial([files, kept], undefined), doubles.tls, clock, {
      onChanged: (fresh, { certificates, isTicketSeed }) => {
        doubles.tls = fresh;
        changed.push(...certificates.map(({ name, names }) => `${name} ${names} ${isTicketSeed}`));
        void listener.update();
      },
      onRefused: (reason) => refused.push(reason),
      onRecovered: () => refused.push('recovered'),
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
    expect(refused.slice(1)).toEqual(['recovered']);
    expect(changed).toEqual(['default new.test false']);
    expect(await before.command('EHLO c.test')).toMatch(/^250/);
    before.destroy();
    timer.cancel();
    await rm(folder, { recursive: true });
  });
});
