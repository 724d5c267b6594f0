/**
 * A real KDC of MIT Kerberos, unpacked and never installed, with a realm of its own on loopback ports: principals, a keytab for a service, and tickets for
 * its users. Names are resolved by its own krb5.conf alone, so nothing leaves the machine. `kinit` asks it as a user would.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@postern/local';
import { ensureUnpacked, libraryPath } from './unpacked.js';

export interface Kdc {
  readonly realm: string;
  /** Keys of the services named at the start. */
  readonly keytab: string;
  /** Environment of a program that holds a ticket of this user. */
  logIn(user: string, password: string): Promise<Readonly<Record<string, string>>>;
  stop(): Promise<void>;
}

export interface KdcOptions {
  readonly realm: string;
  /** Without realm; to passwords. */
  readonly users: Readonly<Record<string, string>>;
  /** Without realm, such as `smtp/mail.acme.test`. */
  readonly services: readonly string[];
}

const patienceMs = 15_000;

function run(file: string, args: readonly string[], env: Readonly<Record<string, string>>, input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, [...args], { env: { ...env }, timeout: patienceMs }, (error, out, err) =>
      error === null ? resolve() : reject(new Error(`${file} ${args.join(' ')}: ${error.message} ${out}${err}`)),
    );
    child.stdin?.end(input);
  });
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function pluginFolder(tree: string): Promise<string> {
  const found = (await readdir(tree, { recursive: true })).find((name) => name.endsWith('plugins/kdb/db2.so'));
  if (found === undefined) throw new Error(`no db2.so under ${tree}`);
  return dirname(dirname(join(tree, found)));
}

const clientFile = (realm: string, port: number, plugins: string): string => `[libdefaults]
 default_realm = ${realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 plugin_base_dir = ${plugins}
[realms]
 ${realm} = {
  kdc = 127.0.0.1:${port}
 }
[domain_realm]
 localhost = ${realm}
 .test = ${realm}
`;

const kdcFile = (realm: string, port: number, dir: string, plugins: string): string => `[dbmodules]
 db_module_dir = ${plugins}/kdb
[kdcdefaults]
 kdc_listen = 127.0.0.1:${port}
 kdc_tcp_listen = 127.0.0.1:${port}
[realms]
 ${realm} = {
  database_name = ${dir}/principal
  key_stash_file = ${dir}/stash
  acl_file = ${dir}/kadm5.acl
 }
[logging]
 kdc = FILE:${dir}/kdc.log
`;

export async function startKdc({ realm, users, services }: KdcOptions): Promise<Kdc> {
  // The last two: its event loop, of which the package names several.
  const packages = ['krb5-kdc', 'krb5-admin-server', 'krb5-user', 'libverto-libev1', 'libev4'];
  const tree = await ensureUnpacked({ name: 'krb5-kdc', packages, witness: 'usr/sbin/krb5kdc' });
  const dir = await mkdtemp(join(tmpdir(), 'postern-kdc-'));
  const port = await freePort();
  const config = join(dir, 'krb5.conf');
  const plugins = await pluginFolder(tree);
  await writeFile(config, clientFile(realm, port, plugins));
  await writeFile(join(dir, 'kdc.conf'), kdcFile(realm, port, dir, plugins));
  const env = {
    KRB5_CONFIG: config,
    KRB5_KDC_PROFILE: join(dir, 'kdc.conf'),
    LD_LIBRARY_PATH: await libraryPath(tree),
  };
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    child?.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  };
  const keytab = join(dir, 'service.keytab');
  const admin = (query: string): Promise<void> =>
    run(join(tree, 'usr/sbin/kadmin.local'), ['-r', realm, '-q', query], env);
  try {
    await run(join(tree, 'usr/sbin/kdb5_util'), ['create', '-s', '-r', realm, '-P', 'master of a test'], env);
    for (const [user, password] of Object.entries(users)) await admin(`addprinc -pw ${password} ${user}`);
    for (const service of services) {
      await admin(`addprinc -randkey ${service}`);
      await admin(`ktadd -k ${keytab} ${service}`);
    }
    child = spawn(join(tree, 'usr/sbin/krb5kdc'), ['-n', '-r', realm], { env, stdio: 'ignore' });
    for (let tries = 0; !(await answers(port)); tries++) {
      if (tries > 100 || child.exitCode !== null) throw new Error(`krb5kdc did not start in ${dir}`);
      await sleep(50);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    realm,
    keytab,
    async logIn(user, password) {
      const folder = join(dir, 'tickets');
      await mkdir(folder, { recursive: true });
      const tickets = { KRB5_CONFIG: config, KRB5CCNAME: `FILE:${join(folder, user.replaceAll('/', '-'))}` };
      await run(join(tree, 'usr/bin/kinit'), [user], { ...env, ...tickets }, `${password}\n`);
      return tickets;
    },
    stop,
  };
}
