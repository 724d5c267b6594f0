/**
 * A real Postfix beside a Postern: as a client that relays to it, as the next hop that takes mail from it, and as the peer a benchmark
 * measures. Everything lives in `dir`; it must be reachable by an unprivileged account (a folder below /tmp is). Needs root, as Postfix does.
 */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningServer, SetupError, startServer } from '@postern/local';
import { SmtpSender } from '../smtp/index.js';
import { ensurePostfix, type PostfixBinary } from './postfix-binary.js';
import { type PostfixLayout, writePostfixFiles } from './postfix-files.js';

export interface PostfixOptions extends PostfixLayout {
  readonly binary?: PostfixBinary;
}

export interface Postfix {
  readonly port: number;
  readonly pid: number;
  readonly server: RunningServer;
  /** Hands a message to `sendmail`, as a local program does. Rejects when Postfix does not take it. */
  submit(letter: { readonly from: string; readonly to: readonly string[]; readonly data: Buffer }): Promise<void>;
  /** Messages in the maildir of mode `sink-maildir`, as delivered (LF line ends, Postfix's own headers first). */
  delivered(): Promise<Buffer[]>;
  log(): Promise<string>;
  /** Output of postqueue -p. */
  queue(): Promise<string>;
  stop(): Promise<void>;
}

/** Runs one of Postfix's programs; gives its output, rejects when it fails. */
function run(binary: PostfixBinary, config: string, program: string, args: readonly string[], input?: Buffer) {
  return new Promise<string>((resolve, reject) => {
    const child = spawn(join(binary.tree, 'usr/sbin', program), [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...binary.env, MAIL_CONFIG: config },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`${program}: ${output}`))));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

async function greets(port: number): Promise<boolean> {
  try {
    const sender = await SmtpSender.open({ port, timeoutMs: 2_000 });
    const { code } = await sender.reply();
    await sender.quit();
    return code === 220;
  } catch {
    return false;
  }
}

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      'Postfix needs root: its daemons change to other accounts.',
      'run as root, or in a container.',
    );
  }
  const binary = options.binary ?? (await ensurePostfix());
  const config = await writePostfixFiles(binary, options);
  const server = await startServer({
    name: `postfix ${options.mode}`,
    address: `smtp://127.0.0.1:${options.port}`,
    command: join(binary.tree, 'usr/lib/postfix/sbin/master'),
    args: ['-d', '-c', config],
    env: { ...binary.env, MAIL_CONFIG: config },
    cwd: join(options.dir, 'queue'),
    logFile: join(options.dir, 'master.log'),
    ports: [options.port],
    ready: () => greets(options.port),
  });
  return {
    port: options.port,
    pid: server.pid,
    server,
    async submit({ from, to, data }) {
      await run(binary, config, 'sendmail', ['-i', '-f', from, '--', ...to], data);
    },
    async delivered() {
      const inbox = join(options.dir, 'mail', 'inbox', 'new');
      const names = await readdir(inbox).catch(() => []);
      return Promise.all(names.sort().map((name) => readFile(join(inbox, name))));
    },
    log: () => readFile(join(options.dir, 'maillog'), 'utf8').catch(() => ''),
    queue: () => run(binary, config, 'postqueue', ['-p']),
    async stop() {
      await server.stop();
      try {
        // Its daemons are in the process group of the master, which we started as its leader.
        process.kill(-server.pid, 'SIGKILL');
      } catch {
        // None is left.
      }
    },
  };
}
