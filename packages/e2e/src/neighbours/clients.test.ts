/**
 * Mail programs on one side, a real Postfix with a maildir on the other, our cluster between: every program through every listener, and the
 * delivered file holds the bytes that were sent. Needs root for Postfix.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@postern/local';
import { type Postfix, startPostfix } from '@postern/testkit/neighbours';
import { buildMessage } from '@postern/testkit/smtp';
import { afterAll, expect, test, vi } from 'vitest';
import { type Listener, password, withMailWorld } from '../integration/mail-world.js';
import { expectOnlyTraceAdded } from '../integration/received-message.js';
import { asSent, type MailProgram, nodemailer, smtplib, swaks } from './mail-programs.js';

const dirs: string[] = [];
const neighbours: Postfix[] = [];

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'postern-neighbour-'));
  dirs.push(dir);
  return dir;
}

async function postfix(options: Omit<Parameters<typeof startPostfix>[0], 'dir' | 'port'>): Promise<Postfix> {
  const started = await startPostfix({ ...options, dir: await folder(), port: await freePort() });
  neighbours.push(started);
  return started;
}

let maildir: Postfix | undefined;
const world = withMailWorld({
  nextHopPort: async () => {
    maildir = await postfix({ mode: 'sink-maildir' });
    return maildir.port;
  },
});

afterAll(async () => {
  await Promise.all(neighbours.map((one) => one.stop()));
  await Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 5 })));
});

const login = { user: 'bob@acme.test', password };
const body = Buffer.from(
  '.a line with a dot\r\n..\r\nZażółć gęślą jaźń ☃\r\n\r\n  spaces  \r\n\ttab\r\nFrom the start of a line\r\n',
);

function message(from: string, to: string, id: string, size = 0): Buffer {
  return Buffer.concat([buildMessage({ from, to, id, size }), body]);
}

async function arrived(id: string): Promise<Buffer> {
  return vi.waitFor(
    async () => {
      const all = (await maildir?.delivered()) ?? [];
      const found = all.filter((one) => one.includes(`<${id}@`));
      expect(found).toHaveLength(1);
      return asSent(found[0] ?? Buffer.alloc(0));
    },
    { timeout: 90_000, interval: 300 },
  );
}

const programs: readonly (readonly [string, MailProgram])[] = [
  ['swaks', swaks],
  ['Python smtplib', smtplib],
  ['nodemailer', nodemailer],
];
const listeners: readonly Listener[] = ['mx', 'submission', 'submissions'];
const pairs = programs.flatMap(([name, program]) => listeners.map((listener) => ({ name, program, listener })));

test.each(pairs)('$name through $listener', async ({ name, program, listener }) => {
  const id = `${name.replaceAll(' ', '-')}-${listener}`;
  const [from, to] = listener === 'mx' ? ['someone@good.test', 'bob@acme.test'] : [login.user, 'friend@elsewhere.test'];
  const data = message(from, to, id);
  await program({
    listener,
    port: await world.cluster.port(listener),
    from,
    to,
    data,
    dir: await folder(),
    ...(listener === 'mx' ? {} : { login }),
  });
  expectOnlyTraceAdded(await arrived(id), data);
});

const ourLogin = ['smtp_sasl_auth_enable = yes', `smtp_sasl_password_maps = static:${login.user}:${password}`];
const relays: readonly { readonly listener: Listener; readonly extra: readonly string[] }[] = [
  { listener: 'mx', extra: ['smtp_tls_security_level = may'] },
  {
    listener: 'submission',
    extra: ['smtp_tls_security_level = encrypt', 'smtp_sasl_tls_security_options = noanonymous', ...ourLogin],
  },
  {
    listener: 'submissions',
    extra: [
      'smtp_tls_security_level = encrypt',
      'smtp_tls_wrappermode = yes',
      'smtp_sasl_tls_security_options = noanonymous',
      ...ourLogin,
    ],
  },
];

test.each(relays)('a real Postfix relays to $listener, 30 MB too', async ({ listener, extra }) => {
  const relayHost = `127.0.0.1:${await world.cluster.port(listener)}`;
  const client = await postfix({ mode: 'relay', relayHost, extra });
  const [from, to] = listener === 'mx' ? ['someone@good.test', 'bob@acme.test'] : [login.user, 'friend@elsewhere.test'];
  for (const size of [2_000, 30_000_000]) {
    const id = `postfix-${listener}-${size}`;
    const data = message(from, to, id, size);
    await client.submit({ from, to: [to], data });
    const received = await arrived(id).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${(await client.log()).split('\n').slice(-12).join('\n')}`);
    });
    // The client Postfix adds its own Received field before ours; what was submitted is still the end.
    expectOnlyTraceAdded(received, data);
  }
});
