/**
 * The recipes of docs/recipes as they are shipped, each by itself, brought in both ways an operator has: in the operator's file, and saved by
 * posternctl. What a client is told, what the next hop sees, and that trace names the rule. Only the address to leave from is one of this machine.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testAuthority } from '@postern/testkit';
import { buildMessage, type SmtpReply, SmtpSender } from '@postern/testkit/smtp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../cluster/index.js';
import { explained, queueIdOf, sessionIdOf } from './explanation.js';
import { password, users, withMailWorld } from './mail-world.js';
import { type NextHopServer, reserveNextHop } from './next-hop-server.js';

const { key, cert } = testAuthority().issue(['127.0.0.1']);
const plain = await reserveNextHop();
const route1 = await reserveNextHop();
const route2 = await reserveNextHop();
const modern = await reserveNextHop(['AUTH PLAIN', 'SIZE 100000'], { key, cert });
const old = await reserveNextHop(['AUTH PLAIN', 'SIZE 100000'], { key, cert, maxVersion: 'TLSv1.2' });
const servers = [plain, route1, route2, modern, old];

const hop = ({ port }: NextHopServer, more: object = {}) => ({
  hosts: [{ host: '127.0.0.1', port, tls: 'none', ...more }],
});
const smartHost = (server: NextHopServer) => hop(server, { tls: 'opportunistic', username: 'us', password: 'secret' });
const nextHops = { hop: hop(plain), route1: hop(route1), route2: hop(route2), smarthost: smartHost(modern) };

const world = withMailWorld({
  config: {
    hostname: 'gate.acme.test',
    relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }],
    retry: { first: '1s', cap: '2s', lifetime: '5s' },
    limits: { messageSize: '50MiB', connectionsPerIp: 0, connectionRatePerIp: 0 },
    nextHops,
    // More than the recipe leaves, so that what is seen is the recipe's doing.
    listeners: {
      submission: {
        ...{ requireTls: false, authMechanismsPlain: ['PLAIN'], authMechanismsTls: ['SCRAM-SHA-256', 'PLAIN'] },
        // So that a client is in a country.
        xclient: ['127.0.0.0/8'],
      },
    },
    tenants: [
      {
        name: 'acme',
        domains: ['acme.test', 'example.test', 'one.example.test'].map((name) => ({ name, nextHop: 'hop' })),
        users: [
          ...users.map((user) => ({ address: `${user}@acme.test`, password })),
          { address: 'bob@example.test', password },
        ],
      },
    ],
  },
});

beforeAll(() => Promise.all(servers.map((server) => server.open())));
afterAll(() => Promise.all(servers.map((server) => server.close())));

const folder = join(projectRoot, 'docs/recipes');
const patience = { timeout: 10_000, interval: 200 };
const fileOf = (name: string): string => join(folder, `${name}.yaml`);

interface Shipped {
  readonly file: string;
  readonly rules: readonly { readonly id: string }[];
}

async function shipped(name: string): Promise<Shipped> {
  const text = readFileSync(fileOf(name), 'utf8');
  if (!text.includes('192.0.2.1')) return { file: fileOf(name), rules: parse(text).rules };
  const here = text.replaceAll('192.0.2.1', '127.0.0.11');
  const file = join(world.cluster.dataDir, `${name}.yaml`);
  await writeFile(file, here);
  return { file, rules: parse(here).rules };
}

interface Way {
  readonly bring: (recipes: readonly Shipped[]) => Promise<void>;
  readonly take: (recipes: readonly Shipped[]) => Promise<void>;
}

async function ctl(...args: string[]): Promise<void> {
  const { code, stderr } = await world.cluster.ctl(...args);
  expect(stderr).toBe('');
  expect(code).toBe(0);
}

const ways: Readonly<Record<string, Way>> = {
  'in the operator file': {
    bring: (recipes) => world.reconfigure({ rules: recipes.flatMap(({ rules }) => rules) }),
    take: () => world.reconfigure({}),
  },
  'saved by posternctl': {
    bring: async (recipes) => {
      for (const { file, rules } of recipes) for (const { id } of rules) await ctl('rule', 'put', id, file);
    },
    take: async (recipes) => {
      for (const { rules } of recipes) for (const { id } of rules) await ctl('rule', 'delete', id);
    },
  },
};

type Channel = 'plain' | 'tls';

async function open(channel: Channel, listener: 'mx' | 'submission' = 'mx'): Promise<SmtpSender> {
  const sender = await SmtpSender.open({ port: await world.cluster.port(listener) });
  await sender.greet();
  if (channel === 'plain') return sender;
  expect((await sender.command('STARTTLS')).code).toBe(220);
  await sender.startTls();
  await sender.command('EHLO client.test');
  return sender;
}

const line = ({ code, text }: SmtpReply): string => `${code} ${text}`;
let count = 0;

async function sent(from: string, to: string, data?: Buffer, channel: Channel = 'plain') {
  count += 1;
  const id = `recipe-${count}`;
  const sender = await open(channel);
  const reply = await sender.send({ from, to: [to], data: data ?? buildMessage({ from, to, id, subject: id }) });
  await sender.quit();
  return { reply, said: line(reply), id };
}

const attachment = (octets: number): Buffer =>
  Buffer.from(
    'From: <a@good.test>\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: application/pdf; name=a.pdf\n'
      .concat(`Content-Disposition: attachment\n\n${`${'x'.repeat(76)}\n`.repeat(Math.ceil(octets / 77))}--b--\n`)
      .replaceAll('\n', '\r\n'),
  );
const hops = (received: number): Buffer =>
  Buffer.from(
    `${'Received: by x.test; Sat, 21 Nov 2026 03:00:00 +0000\r\n'.repeat(received)}From: <a@good.test>\r\n\r\nx\r\n`,
  );

async function arrived(server: NextHopServer, id: string) {
  await vi.waitFor(() => expect(server.having(id)).toHaveLength(1), { timeout: 30_000, interval: 200 });
  for (const other of servers) if (other !== server) expect(other.having(id)).toEqual([]);
  return server.having(id)[0]?.client;
}

describe.each(Object.entries(ways))('%s', (_way, { bring, take }) => {
  async function using(names: readonly string[], work: () => Promise<void>): Promise<void> {
    const recipes = await Promise.all(names.map(shipped));
    await bring(recipes);
    try {
      await work();
    } finally {
      await take(recipes);
    }
  }

  test('no AUTH on plain, AUTH on TLS', () =>
    using(['auth-after-tls'], async () => {
      await vi.waitFor(async () => {
        const sender = await SmtpSender.open({ port: await world.cluster.port('submission') });
        expect((await sender.greet()).text).not.toContain('AUTH');
        await sender.quit();
      }, patience);
      const bare = await open('plain', 'submission');
      const refused = await bare.auth('bob@acme.test', password);
      expect(line(refused)).toMatch(/^5(02|38) 5\./);
      await explained(
        world.cluster,
        sessionIdOf(refused),
        'edge.command.rejected',
        'AUTH PLAIN',
        /plain-not-authenticated@\d/,
      );
      await bare.quit();
      const sender = await open('tls', 'submission');
      expect((await sender.command('EHLO client.test')).lines).toContain('AUTH PLAIN LOGIN');
      expect((await sender.auth('bob@acme.test', password)).code).toBe(235);
      await sender.quit();
    }));

  test('STARTTLS for one domain, with the text of the rule', () =>
    using(['starttls-for-one-domain'], async () => {
      const mail = () => sent('a@good.test', 'bob@example.test');
      await vi.waitFor(
        async () => expect((await mail()).said).toMatch(/^530 5\.7\.0 example\.test takes mail over TLS only/),
        patience,
      );
      await explained(
        world.cluster,
        sessionIdOf((await mail()).reply),
        'edge.recipient.rejected',
        /tls-for-example@\d/,
      );
      expect((await sent('a@good.test', 'bob@acme.test')).said).toMatch(/^250 /);
      const { said, reply, id } = await sent('a@good.test', 'bob@example.test', undefined, 'tls');
      expect(said).toMatch(/^250 /);
      await arrived(plain, id);
      await explained(world.cluster, queueIdOf(reply), /delivered/i);
    }));

  test('relay to one domain only, over TLS 1.3 to us and on through the smart host', () =>
    using(['relay-to-one-domain', 'tls-versions-through-smart-host'], async () => {
      await vi.waitFor(
        async () => expect((await sent('a@good.test', 'x@else.test')).said).toMatch(/^550 5\.7\.1 /),
        patience,
      );
      const elsewhere = await sent('a@good.test', 'x@else.test', undefined, 'tls');
      expect(elsewhere.said).toMatch(/^550 5\.7\.1 /);
      await explained(world.cluster, sessionIdOf(elsewhere.reply), /relay-nowhere-else@\d/);
      const bare = await sent('a@good.test', 'x@partner.test');
      expect(bare.said).toMatch(/^550 5\.7\.1 /);
      await explained(world.cluster, sessionIdOf(bare.reply), /relay-over-tls-1-3@\d/);
      const { reply, said, id } = await sent('a@good.test', 'x@partner.test', undefined, 'tls');
      expect(said).toMatch(/^250 /);
      expect(await arrived(modern, id)).toMatchObject({ tlsVersion: 'TLSv1.3', login: 'us' });
      await explained(world.cluster, queueIdOf(reply), /partner-by-smart-host@\d/, /delivered/i);
    }));

  test('attachment above 3 MB', () =>
    using(['large-attachment'], async () => {
      const mail = () => sent('a@good.test', 'bob@acme.test', attachment(3_100_000));
      const refusal = /^552 5\.3\.4 Attachments of more than 3 MB are not taken here/;
      await vi.waitFor(async () => expect((await mail()).said).toMatch(refusal), patience);
      await explained(
        world.cluster,
        sessionIdOf((await mail()).reply),
        'edge.message.rejected',
        /attachment-above-3-mb@\d/,
      );
      expect((await sent('a@good.test', 'bob@acme.test', attachment(2_900_000))).said).toMatch(/^250 /);
      expect(
        (await sent('a@good.test', 'bob@acme.test', buildMessage({ from: 'a@good.test', to: 'b', size: 4_000_000 })))
          .said,
      ).toMatch(/^250 /);
    }));

  test('programs are refused, VIPs get a quarantine, and the archive a copy', () =>
    using(['no-programs', 'vip-quarantine', 'bcc-archive'], async () => {
      const program = Buffer.from(
        attachment(10)
          .toString('latin1')
          .replaceAll(/name=\S+/g, 'name=setup.exe'),
        'latin1',
      );
      const refusal = /^550 5\.7\.1 Programs are not taken as attachments/;
      const mail = () => sent('a@good.test', 'bob@acme.test', program);
      await vi.waitFor(async () => expect((await mail()).said).toMatch(refusal), patience);
      await explained(world.cluster, sessionIdOf((await mail()).reply), 'edge.message.rejected', /no-programs@\d/);
      const kept = await sent('a@bad.test', 'bob@example.test');
      expect(kept.said).toMatch(/^250 /);
      await explained(world.cluster, queueIdOf(kept.reply), /vip-quarantine@\d/);
      const copied = await sent('a@good.test', 'bob@example.test');
      expect(copied.said).toMatch(/^250 /);
      await explained(world.cluster, queueIdOf(copied.reply), /bcc-archive@\d/, /archive@archive\.test/);
    }));

  test('who is not of the partner network sends smaller mail to that domain', () =>
    using(['trusted-network'], async () => {
      const large = attachment(11_000_000);
      const mail = () => sent('a@good.test', 'bob@example.test', large);
      await vi.waitFor(async () => expect((await mail()).said).toMatch(/^552 5\.3\.4 /), patience);
      expect((await sent('a@good.test', 'bob@acme.test', large)).said).toMatch(/^250 /);
      expect((await sent('a@good.test', 'bob@example.test')).said).toMatch(/^250 /);
    }));

  test('logins from some countries only, refused at AUTH whatever the password', () =>
    using(['logins-by-country'], async () => {
      const login = async (address: string, secret: string) => {
        const sender = await open('plain', 'submission');
        expect((await sender.command(`XCLIENT ADDR=${address}`)).code).toBe(220);
        await sender.command('EHLO client.test');
        const reply = await sender.auth('bob@acme.test', secret);
        await sender.quit();
        return reply;
      };
      const american = '8.8.8.8';
      await vi.waitFor(async () => expect((await login(american, password)).code).toBe(535), patience);
      const [right, wrong] = [await login(american, password), await login(american, 'wrong')];
      const words = ({ code, text }: SmtpReply): string => `${code} ${text.replace(/\(\w+\)$/, '()')}`;
      expect(words(right)).toBe(words(wrong));
      await explained(world.cluster, sessionIdOf(right), 'edge.login.refused', /logins-from-these-countries@\d/);
      expect((await login('127.0.0.1', password)).code).toBe(235);
      expect((await login('127.0.0.1', 'wrong')).code).toBe(535);
    }));

  test('our own domain in From, and a message without From or with two', () =>
    using(['own-domain-in-from', 'one-from'], async () => {
      const mail = (...from: string[]) =>
        sent(
          'a@good.test',
          'bob@acme.test',
          Buffer.from(`${from.map((author) => `From: ${author}\r\n`).join('')}Subject: s\r\n\r\nx\r\n`),
        );
      const forged = /^550 5\.7\.1 Mail from outside cannot be from example\.test/;
      await vi.waitFor(async () => expect((await mail('Boss <boss@example.test>')).said).toMatch(forged), patience);
      const { reply } = await mail('"boss@example.test" <x@good.test>');
      expect(line(reply)).toMatch(forged);
      expect((await mail('=?utf-8?q?boss=40example.test?= <x@good.test>')).said).toMatch(forged);
      expect((await mail('boss@(c)example.test')).said).toMatch(forged);
      await explained(world.cluster, sessionIdOf(reply), 'edge.message.rejected', /own-domain-in-from@\d/);
      const none = /^550 5\.6\.0 A message has one From field/;
      expect((await mail()).said).toMatch(none);
      expect((await mail('a@good.test', 'b@good.test')).said).toMatch(none);
      expect((await mail('a@good.test')).said).toMatch(/^250 /);
    }));

  test('loop above 20 Received', () =>
    using(['mail-loop'], async () => {
      const mail = () => sent('a@good.test', 'bob@acme.test', hops(21));
      await vi.waitFor(async () => expect((await mail()).said).toMatch(/^554 5\.4\.6 Too many hops/), patience);
      await explained(world.cluster, sessionIdOf((await mail()).reply), 'edge.message.rejected', /loop@\d/);
      expect((await sent('a@good.test', 'bob@acme.test', hops(20))).said).toMatch(/^250 /);
    }));

  test('a size for each sender', () =>
    using(['size-by-sender'], async () => {
      const declared = async (from: string, size: number) => {
        const sender = await open('plain');
        const reply = await sender.command(`MAIL FROM:<${from}> SIZE=${size}`);
        await sender.quit();
        return reply;
      };
      await vi.waitFor(async () => expect((await declared('a@news.test', 1_048_577)).code).toBe(552), patience);
      expect((await declared('a@news.test', 1_048_576)).code).toBe(250);
      expect((await declared('scanner@example.test', 104_857_600)).code).toBe(250);
      expect((await declared('scanner@example.test', 104_857_601)).code).toBe(552);
      expect((await declared('other@example.test', 60_000_000)).code).toBe(552);
      await explained(
        world.cluster,
        sessionIdOf(await declared('a@news.test', 1_048_577)),
        'edge.sender.rejected',
        /newsletter@\d/,
      );
      const sizes = (octets: number) => buildMessage({ from: 'a@news.test', to: 'b', size: octets });
      const streamed = await sent('a@news.test', 'bob@acme.test', sizes(1_100_000));
      expect(streamed.said).toMatch(/^552 5\.3\.4 /);
      await explained(world.cluster, sessionIdOf(streamed.reply), 'edge.message.rejected', /newsletter@\d/);
      expect((await sent('a@news.test', 'bob@acme.test', sizes(900_000))).said).toMatch(/^250 /);
      expect((await sent('scanner@example.test', 'bob@acme.test', sizes(60_000_000))).said).toMatch(/^250 /);
    }));

  test('domain 1 by route 1 with IP 1, all others by route 2', () =>
    using(['route-by-sender-domain'], async () => {
      await vi.waitFor(async () => {
        const { id } = await sent('a@plain.test', 'x@far.test');
        await vi.waitFor(() => expect(route2.having(id)).toHaveLength(1), { timeout: 2_000, interval: 100 });
      }, patience);
      const { reply, id } = await sent('a@one.example.test', 'x@far.test');
      expect(await arrived(route1, id)).toMatchObject({ address: '127.0.0.11', greeting: 'out.one.example.test' });
      await explained(world.cluster, queueIdOf(reply), /domain-1-by-route-1@\d/, /delivered/i);
      const other = await sent('a@plain.test', 'x@far.test');
      expect(await arrived(route2, other.id)).toMatchObject({ address: '127.0.0.1', greeting: 'gate.acme.test' });
      await explained(world.cluster, queueIdOf(other.reply), /others-by-route-2@\d/);
      const local = await sent('a@one.example.test', 'bob@acme.test');
      expect(await arrived(plain, local.id)).toMatchObject({ address: '127.0.0.1' });
    }));
});

test('a recipe as shipped is tried before it is saved', async () => {
  const described = ['simulate', '--client', '127.0.0.1', '--from', 'a@one.example.test', '--to', 'x@far.test'];
  const { stdout, code } = await world.cluster.ctl(...described, '--rule', fileOf('route-by-sender-domain'));
  expect(code).toBe(0);
  expect(stdout).toMatch(/relay +<x@far\.test>: goes by route1 .*from 192\.0\.2\.1, as out\.one\.example\.test/);
});

test('a smart host that has TLS 1.2 only gets nothing; the sender reads why', async () => {
  const { rules } = await shipped('tls-versions-through-smart-host');
  await world.reconfigure({ rules, nextHops: { ...nextHops, smarthost: smartHost(old) } });
  await vi.waitFor(async () => {
    const { stdout } = await world.cluster.ctl(
      'simulate',
      '--client',
      '127.0.0.1',
      '--from',
      'bob@acme.test',
      '--to',
      'x@partner.test',
    );
    expect(stdout).toContain('partner-by-smart-host@1');
  }, patience);
  const { reply, id } = await sent('bob@acme.test', 'x@partner.test');
  const reports = () => plain.having(id).filter(({ reversePath }) => reversePath === '');
  await vi.waitFor(() => expect(reports()).toHaveLength(1), { timeout: 40_000, interval: 250 });
  expect(reports()[0]?.data.toString()).toContain('This partner is reached over TLS 1.3 only.');
  expect(old.messages).toEqual([]);
  await explained(world.cluster, queueIdOf(reply), /expired/i, 'partner-needs-tls-1-3@1');
});
