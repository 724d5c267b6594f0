/**
 * Secrets for containers: made once in the state folder, then dealt out to one folder per reader, so that no container sees
 * another's. Repeated at every start: what is there is kept, and a renewed certificate reaches its readers. The operator's API
 * key is not among them: provisioning makes it.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServiceUser, serviceUsers } from '@postern/stream';
import { writeFileAtomic } from '../supervisor/atomic-file.js';
import { ensureCertificates } from '../trust/certificates.js';
import type { DatabaseService } from '../trust/database-roles.js';
import { type RedisService, redisAcl, redisServices } from '../trust/redis-users.js';
import { ensureKey, ensureSecret } from '../trust/secrets.js';
import { natsPasswords } from './nats-conf.js';

const databaseServices: readonly DatabaseService[] = ['queue', 'provisioning'];

export interface SecretFolders {
  /** Holds everything; mounted in one-shot jobs only. */
  readonly state: string;
  /** Holds one folder per reader. */
  readonly readers: string;
}

export interface DatabaseSecrets {
  readonly adminPassword: string;
  readonly passwordFiles: Readonly<Record<DatabaseService, string>>;
}

export async function databaseSecrets(state: string): Promise<DatabaseSecrets> {
  const admin = await ensureSecret(state, 'database-admin.password');
  const [queue, provisioning] = await Promise.all(
    databaseServices.map((service) => ensureSecret(state, `database-${service}.password`)),
  );
  if (queue === undefined || provisioning === undefined) throw new Error('a role has no secret');
  return { adminPassword: admin.value, passwordFiles: { queue: queue.file, provisioning: provisioning.file } };
}

async function passwordsOf<T extends string>(
  state: string,
  store: string,
  users: readonly T[],
): Promise<Map<T, string>> {
  const made = users.map(async (user): Promise<[T, string]> => {
    const { value } = await ensureSecret(state, `${store}-${user}.password`);
    return [user, value];
  });
  return new Map(await Promise.all(made));
}

/** Make what is missing and deal it out. `names` are those of the server certificate. */
export async function dealSecrets(folders: SecretFolders, names: readonly string[], now: Date): Promise<void> {
  const { state, readers } = folders;
  await mkdir(state, { recursive: true, mode: 0o700 });
  const give = async (reader: string, name: string, content: string | Uint8Array, mode = 0o600) => {
    await mkdir(join(readers, reader), { recursive: true });
    await writeFileAtomic(join(readers, reader, name), content, mode);
  };
  const copy = async (reader: string, name: string, file: string) => give(reader, name, await readFile(file));

  const nats = await passwordsOf<ServiceUser>(state, 'nats', serviceUsers);
  const redis = await passwordsOf<RedisService>(state, 'redis', redisServices);
  const database = await databaseSecrets(state);
  const scopeKey = await ensureKey(state, 'scope.key');
  const sealKey = await ensureKey(state, 'seal.key');
  const ticketKey = await ensureKey(state, 'ticket.key');
  const demo = await ensureSecret(state, 'demo.password');
  const tls = await ensureCertificates(join(state, 'tls'), names, now);
  const of = <T>(passwords: Map<T, string>, user: T): string => {
    const password = passwords.get(user);
    if (password === undefined) throw new Error(`no password for ${String(user)}`);
    return password;
  };

  for (const [service, password] of nats) {
    await give(service, 'nats.password', `${password}\n`);
    await copy(service, 'scope.key', scopeKey);
  }
  for (const [service, password] of redis) await give(service, 'redis.password', `${password}\n`);
  for (const service of databaseServices) await copy(service, 'database.password', database.passwordFiles[service]);
  for (const service of ['delivery', 'provisioning']) await copy(service, 'seal.key', sealKey);
  await copy('edge', 'ticket.key', ticketKey);
  await copy('edge', 'server.crt', tls.certificateFile);
  await copy('edge', 'server.key', tls.keyFile);
  await copy('provisioning', 'demo.password', demo.file);
  await copy('client', 'demo.password', demo.file);
  await copy('client', 'ca.crt', tls.caFile);
  await give('postgres', 'admin.password', `${database.adminPassword}\n`);
  await give(
    'nats',
    'passwords.conf',
    natsPasswords({
      edge: of(nats, 'edge'),
      policy: of(nats, 'policy'),
      queue: of(nats, 'queue'),
      delivery: of(nats, 'delivery'),
      provisioning: of(nats, 'provisioning'),
    }),
  );
  // Redis reads it as a user of its own; the file holds hashes, and no other container mounts its folder.
  const acl = redisAcl({ edge: of(redis, 'edge'), policy: of(redis, 'policy'), delivery: of(redis, 'delivery') });
  await give('redis', 'users.acl', acl, 0o644);
}
