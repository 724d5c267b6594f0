/** What happens before the banner, and before the handshake of a port that begins with TLS, over real sockets. */
import { replies } from '@postern/smtp-core';
import { RawClient } from '@postern/testkit/smtp';
import { describe, expect, it, vi } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { greeted, withFront } from '../testing/front.js';
import { EarlyTalk } from './early-talk.js';
import type { Opening } from './place.js';

const { start } = withFront();

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

  const tooSoon = /^421 4\.7\.0 client spoke before its turn/;
  const notHttp = /^421 4\.7\.0 this is SMTP, not HTTP/;

  describe.each([
    ['commands', 'EHLO c.test\r\nNOOP\r\n', tooSoon, '', /^250-/],
    ['an octet', 'E', tooSoon, 'HLO c.test\r\n', /^250-/],
    ['a bad line', 'a\rb\r\n', tooSoon, '', /^500 5\.5\.2 /],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', notHttp, '', notHttp],
  ])('who says %s', (_name, words, cutOff, rest, heard) => {
    function hasty(beforeBanner: () => Promise<void> | undefined) {
      const doubles = new Doubles();
      const failed: string[] = [];
      const opening = Promise.withResolvers<Opening>();
      doubles.opening = () => opening.promise;
      doubles.abuse = { ...doubles.abuse, beforeBanner, failed: (_session, kind) => void failed.push(kind) };
      const admit = (): void => opening.resolve({ kind: 'admitted', release: () => doubles.released++ });
      return { doubles, failed, admit };
    }

    /** Speaks, and what it says is here. */
    async function speaks(port: number): Promise<RawClient> {
      const spoke = vi.spyOn(EarlyTalk.prototype, 'spoke');
      const client = await RawClient.open(port);
      client.send(words);
      await expect.poll(() => spoke.mock.calls.length).toBeGreaterThan(0);
      spoke.mockRestore();
      return client;
    }

    it.each(['before', 'while'])('%s the banner waits for silence is cut off', async (when) => {
      const waits = vi.fn(() => new Promise<void>(() => undefined));
      const { doubles, failed, admit } = hasty(waits);
      const { port } = await start(doubles);
      if (when === 'while') admit();
      const client = await speaks(port);
      expect(waits.mock.calls).toHaveLength(when === 'while' ? 1 : 0);
      admit();
      expect(await client.reply()).toMatch(cutOff);
      await client.closed();
      expect(client.rest).toBe('');
      expect(failed).toEqual(['bad_command']);
      await expect.poll(() => doubles.released).toBe(1);
    });

    it('where it does not wait is heard after it', async () => {
      const { doubles, failed, admit } = hasty(() => undefined);
      const { port } = await start(doubles);
      const client = await speaks(port);
      admit();
      expect(await client.reply()).toMatch(/^220 /);
      client.send(rest);
      expect(await client.reply()).toMatch(heard);
      expect(failed).toHaveLength(words === 'a\rb\r\n' ? 1 : 0);
      client.destroy();
    });
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
    [
      'a denied address',
      (doubles) => doubles.setSnapshot({ accessRules: [deny] }),
      'access rule: global, 127.0.0.0/8, priority 1, before TLS',
    ],
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
      'access rule: global, 192.0.2.9, priority 1, before TLS',
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
    expect(doubles.events).toMatchObject([{ event: 'edge.session.refused', facts: { detail: { reason } } }]);
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
