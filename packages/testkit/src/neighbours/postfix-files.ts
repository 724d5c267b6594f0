/**
 * The files a Postfix that was unpacked, not installed, needs: main.cf, master.cf and a queue directory with the owners and modes its own
 * installation would give. Nothing outside `dir` is touched.
 */
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SetupError } from '@postern/local';
import type { PostfixBinary } from './postfix-binary.js';

export type PostfixMode = 'relay' | 'discard' | 'sink-maildir';

export interface PostfixLayout {
  readonly dir: string;
  readonly port: number;
  readonly mode: PostfixMode;
  /** Next hop of mode `relay`, `127.0.0.1:port`. */
  readonly relayHost?: string;
  /** Lines of main.cf after ours; the last one wins. */
  readonly extra?: readonly string[];
}

interface Account {
  readonly name: string;
  readonly id: number;
}

/** The first of `names` in a file like /etc/passwd or /etc/group. */
async function accountOf(file: string, names: readonly string[]): Promise<Account> {
  const rows = (await readFile(file, 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of names) {
    const id = rows.find(([found]) => found === name)?.[2];
    if (id !== undefined) return { name, id: Number(id) };
  }
  throw new SetupError(`${file} has none of ${names.join(', ')}.`, 'add one of them, Postfix runs its daemons as it.');
}

const ownedByMail = [
  'active',
  'bounce',
  'corrupt',
  'defer',
  'deferred',
  'flush',
  'hold',
  'incoming',
  'private',
  'saved',
  'trace',
] as const;

const daemons = `
pickup     unix  n - n 60   1 pickup
cleanup    unix  n - n -    0 cleanup
qmgr       unix  n - n 300  1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n -    - trivial-rewrite
bounce     unix  - - n -    0 bounce
defer      unix  - - n -    0 bounce
trace      unix  - - n -    0 bounce
verify     unix  - - n -    1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n -    - proxymap
smtp       unix  - - n -    - smtp
relay      unix  - - n -    - smtp
showq      unix  n - n -    - showq
error      unix  - - n -    - error
retry      unix  - - n -    - error
discard    unix  - - n -    - discard
virtual    unix  - n n -    - virtual
anvil      unix  - - n -    1 anvil
scache     unix  - - n -    1 scache
postlog    unix-dgram n - n - 1 postlogd
`;

function routing(layout: PostfixLayout, owner: Account): string[] {
  if (layout.mode === 'discard') return ['default_transport = discard:', 'relay_transport = discard:'];
  if (layout.mode === 'relay') {
    const [host, port] = (layout.relayHost ?? '').split(':');
    if (host === undefined || port === undefined) throw new Error('mode relay needs relayHost 127.0.0.1:port');
    return [`relayhost = [${host}]:${port}`, 'default_transport = smtp', 'smtp_dns_support_level = disabled'];
  }
  return [
    'virtual_mailbox_domains = static:all',
    'virtual_mailbox_maps = static:inbox/',
    `virtual_mailbox_base = ${join(layout.dir, 'mail')}`,
    `virtual_uid_maps = static:${owner.id}`,
    `virtual_gid_maps = static:${owner.id}`,
    'virtual_minimum_uid = 1',
    'virtual_mailbox_limit = 0',
  ];
}

/** Writes everything below `layout.dir`; gives the configuration directory. */
export async function writePostfixFiles(binary: PostfixBinary, layout: PostfixLayout): Promise<string> {
  const owner = await accountOf('/etc/passwd', ['mail', 'daemon', 'games']);
  const setgid = await accountOf('/etc/group', ['games', 'operator', 'users']);
  const [config, queue, data] = [join(layout.dir, 'etc'), join(layout.dir, 'queue'), join(layout.dir, 'data')];
  const folder = async (path: string, mode: number, uid = 0, gid = 0) => {
    await mkdir(path, { recursive: true });
    await chown(path, uid, gid);
    await chmod(path, mode);
  };
  await folder(layout.dir, 0o755);
  await folder(config, 0o755);
  await folder(queue, 0o755);
  await folder(join(queue, 'pid'), 0o755);
  for (const name of ownedByMail) await folder(join(queue, name), 0o700, owner.id);
  await folder(join(queue, 'maildrop'), 0o730, owner.id, setgid.id);
  await folder(join(queue, 'public'), 0o710, owner.id, setgid.id);
  await folder(data, 0o700, owner.id);
  await folder(join(layout.dir, 'mail'), 0o700, owner.id);
  const main = [
    'compatibility_level = 3.6',
    `queue_directory = ${queue}`,
    `data_directory = ${data}`,
    `daemon_directory = ${join(binary.tree, 'usr/lib/postfix/sbin')}`,
    `command_directory = ${join(binary.tree, 'usr/sbin')}`,
    `shlib_directory = ${join(binary.tree, 'usr/lib/postfix')}`,
    `meta_directory = ${join(binary.tree, 'etc/postfix')}`,
    `mail_owner = ${owner.name}`,
    `setgid_group = ${setgid.name}`,
    'default_privs = nobody',
    `import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME ${Object.keys(binary.env).join(' ')}`,
    `export_environment = TZ MAIL_CONFIG LANG ${Object.keys(binary.env).join(' ')}`,
    `maillog_file = ${join(layout.dir, 'maillog')}`,
    `maillog_file_prefixes = ${layout.dir}`,
    'myhostname = postfix.test',
    'mydomain = test',
    'myorigin = postfix.test',
    'mydestination =',
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    'mynetworks = 127.0.0.0/8',
    'smtpd_relay_restrictions = permit_mynetworks, reject',
    'smtpd_peername_lookup = no',
    'smtputf8_enable = yes',
    'message_size_limit = 104857600',
    'mailbox_size_limit = 0',
    'alias_maps =',
    'alias_database =',
    'local_recipient_maps =',
    'local_transport = error:no local delivery',
    'biff = no',
    'append_dot_mydomain = no',
    ...routing(layout, owner),
    ...(layout.extra ?? []),
  ];
  await writeFile(join(config, 'main.cf'), `${main.join('\n')}\n`);
  await writeFile(join(config, 'master.cf'), `127.0.0.1:${layout.port} inet n - n - - smtpd${daemons}`);
  return config;
}
