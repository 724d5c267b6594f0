/**
 * Mail programs people really use, each as one function that hands a message to one of our listeners. `swaks`, Python's smtplib and nodemailer
 * here; Postfix is a server and has its own start. Each program builds nothing itself: it sends the given bytes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureSwaks } from '@postern/testkit/neighbours';
import { createTransport } from 'nodemailer';
import { runCommand } from '../cluster/index.js';
import type { Listener } from '../integration/mail-world.js';

export interface Hand {
  readonly listener: Listener;
  readonly port: number;
  readonly from: string;
  readonly to: string;
  readonly data: Buffer;
  /** Absent on mx. */
  readonly login?: { readonly user: string; readonly password: string };
  /** A folder for files of this one message. */
  readonly dir: string;
}

export type MailProgram = (hand: Hand) => Promise<void>;

/** Runs a program; rejects with all it said when it fails. */
async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const result = await runCommand('env', [...assignments, command, ...args]);
  if (result.code !== 0) throw new Error(`${command} ended ${result.code}: ${result.stdout}${result.stderr}`);
}

async function dataFile(hand: Hand, bytes: Buffer): Promise<string> {
  const file = join(hand.dir, `${hand.listener}.eml`);
  await writeFile(file, bytes);
  return file;
}

const stuffed = (data: Buffer): Buffer => Buffer.from(data.toString('latin1').replace(/^\./gm, '..'), 'latin1');

export const swaks: MailProgram = async (hand) => {
  const { path, env } = await ensureSwaks();
  // Without its fix-up swaks sends the file as it is and wants the final dot in it.
  const file = await dataFile(hand, Buffer.concat([stuffed(hand.data), Buffer.from('.')]));
  const args = [
    ...['--server', '127.0.0.1', '--port', String(hand.port), '--helo', 'swaks.test'],
    ...['--from', hand.from, '--to', hand.to, '--data', `@${file}`, '--no-data-fixup'],
  ];
  if (hand.listener === 'submission') args.push('--tls');
  if (hand.listener === 'submissions') args.push('--tls-on-connect');
  if (hand.login !== undefined)
    args.push('--auth', 'LOGIN', '--auth-user', hand.login.user, '--auth-password', hand.login.password);
  await run('perl', [path, ...args], env);
};

const script = `
import json, smtplib, ssl, sys
hand = json.load(open(sys.argv[1]))
context = ssl._create_unverified_context()
kind = smtplib.SMTP_SSL if hand["listener"] == "submissions" else smtplib.SMTP
extra = {"context": context} if hand["listener"] == "submissions" else {}
with kind("127.0.0.1", hand["port"], local_hostname="python.test", timeout=60, **extra) as client:
    if hand["listener"] == "submission":
        client.starttls(context=context)
    if hand.get("login"):
        client.login(hand["login"]["user"], hand["login"]["password"])
    refused = client.sendmail(hand["from"], [hand["to"]], open(hand["file"], "rb").read(), mail_options=["BODY=8BITMIME"])
    assert refused == {}, refused
`;

export const smtplib: MailProgram = async (hand) => {
  const { data: _data, ...facts } = hand;
  const [order, program] = [join(hand.dir, `${hand.listener}.json`), join(hand.dir, 'send.py')];
  await writeFile(program, script);
  await writeFile(order, JSON.stringify({ ...facts, file: await dataFile(hand, hand.data) }));
  await run('python3', [program, order]);
};

export const nodemailer: MailProgram = async (hand) => {
  const transport = createTransport({
    host: '127.0.0.1',
    port: hand.port,
    secure: hand.listener === 'submissions',
    requireTLS: hand.listener === 'submission',
    ignoreTLS: hand.listener === 'mx',
    name: 'nodemailer.test',
    tls: { rejectUnauthorized: false },
    ...(hand.login === undefined ? {} : { auth: { user: hand.login.user, pass: hand.login.password } }),
  });
  try {
    await transport.sendMail({ envelope: { from: hand.from, to: hand.to, use8BitMime: true }, raw: hand.data });
  } finally {
    transport.close();
  }
};

/** What a file of a maildir was when it was sent: CRLF line ends. */
export const asSent = (delivered: Buffer): Buffer =>
  Buffer.from(delivered.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
