/**
 * Where the cluster answers: `--server` and `--key-file`, else POSTERN_SERVER and POSTERN_KEY_FILE, else the run.json of the local cluster,
 * looked for in --data, or in .postern of this folder and those above. The key never appears in a message, and that of run.json goes to no
 * other address than that of run.json.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseHostPort } from '@postern/config';
import type { KeptProcess, Process } from './processes.js';
import { PlainError, UsageError } from './usage-error.js';

export interface GlobalOptions {
  readonly data?: string;
  readonly server?: string;
  readonly keyFile?: string;
  readonly ca?: string;
  readonly json?: boolean;
  readonly timeout?: string;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
}

/** What is used of run.json. */
export interface RunFile {
  readonly file: string;
  readonly provisioning: { readonly address: string; readonly keyFile: string };
  readonly mailbox: string | undefined;
  readonly processes: readonly Process[];
  /** `--config` of the start before, which this one was not given. */
  readonly configFileBefore: string | undefined;
  /** Who keeps them; undefined in a file of an earlier release. */
  readonly supervisor: KeptProcess | undefined;
}

export interface ServerSettings {
  readonly server: string;
  readonly key: string;
  /** Named in messages, never its content. */
  readonly keyFile: string;
  readonly ca: Buffer | undefined;
}

export function findRunFile(options: GlobalOptions, { env, folder }: Surroundings): RunFile | undefined {
  const data = options.data ?? env.POSTERN_DATA;
  if (data !== undefined) {
    const file = join(resolve(folder, data), 'run.json');
    const found = readRunFile(file);
    if (found === undefined)
      throw new PlainError(`no cluster runs over ${resolve(folder, data)}: ${file} is not there`);
    return found;
  }
  for (let at = resolve(folder); ; at = dirname(at)) {
    const found = readRunFile(join(at, '.postern', 'run.json'));
    if (found !== undefined || dirname(at) === at) return found;
  }
}

function readRunFile(file: string): RunFile | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const run = parse(text);
  const provisioning = child(run, 'provisioning');
  const address = textOf(provisioning, 'address');
  const keyFile = textOf(provisioning, 'keyFile');
  if (address === undefined || keyFile === undefined) throw new PlainError(`${file} is not the run.json of a cluster`);
  const supervisor = keptOf(child(run, 'supervisor'));
  return {
    file,
    provisioning: { address, keyFile },
    mailbox: mailboxOf(run),
    processes: processesOf(run),
    configFileBefore: textOf(run, 'configFileBefore'),
    supervisor,
  };
}

function keptOf(entry: unknown): KeptProcess | undefined {
  const pid = child(entry, 'pid');
  return typeof pid === 'number' ? { pid, identity: textOf(entry, 'identity') } : undefined;
}

function mailboxOf(run: unknown): string | undefined {
  const list = child(run, 'infrastructure');
  const entry = Array.isArray(list) ? list.find((item) => textOf(item, 'name') === 'mailbox') : undefined;
  const address = textOf(entry, 'http') ?? textOf(entry, 'address');
  return address === undefined || address.startsWith('http') ? address : `http://${address}`;
}

function processesOf(run: unknown): Process[] {
  const listed = ['services', 'infrastructure'].flatMap((section) => {
    const list = child(run, section);
    return Array.isArray(list) ? list : [];
  });
  return listed.flatMap((entry): Process[] => {
    const name = textOf(entry, 'instance') ?? textOf(entry, 'name');
    const kept = keptOf(entry);
    return name === undefined || kept === undefined ? [] : [{ name, ...kept, metrics: textOf(entry, 'metrics') }];
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function child(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textOf(value: unknown, name: string): string | undefined {
  const found = child(value, name);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

export function serverSettings(options: GlobalOptions, surroundings: Surroundings): ServerSettings {
  const { env, folder } = surroundings;
  const server = options.server ?? env.POSTERN_SERVER;
  const keyFile = options.keyFile ?? env.POSTERN_KEY_FILE;
  const run = server === undefined || keyFile === undefined ? findRunFile(options, surroundings) : undefined;
  const address = server ?? run?.provisioning.address;
  if (server !== undefined && (parseHostPort(server)?.port ?? 0) === 0) {
    const where = options.server === undefined ? 'POSTERN_SERVER' : '--server';
    throw new UsageError(
      `${where}: ${JSON.stringify(server)} is not allowed; expected HOST:PORT, such as 127.0.0.1:9010`,
    );
  }
  const file = keyFile === undefined ? run?.provisioning.keyFile : resolve(folder, keyFile);
  if (keyFile === undefined && server !== undefined && server !== run?.provisioning.address) {
    throw new PlainError(
      `the API at ${server} needs a key: give --key-file FILE or POSTERN_KEY_FILE${run === undefined ? '' : `; that of ${run.file} is for ${run.provisioning.address} alone`}`,
    );
  }
  if (address === undefined || file === undefined) {
    throw new PlainError(
      'no cluster found: start one with `npm start`, or give --server HOST:PORT and --key-file FILE',
    );
  }
  const ca = options.ca === undefined ? undefined : readFile(resolve(folder, options.ca), 'certificate authority');
  return { server: address, key: readFile(file, 'API key').toString('utf8').trim(), keyFile: file, ca };
}

function readFile(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`${what} ${file} cannot be read (${reason})`);
  }
}
