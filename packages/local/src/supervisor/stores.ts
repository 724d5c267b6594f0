/**
 * The addresses and logins with which services reach NATS, Redis and PostgreSQL: servers started here with a user per
 * service, or running ones named by POSTERN_NATS_URL, POSTERN_REDIS_URL, POSTERN_DATABASE_URL. For a NATS or Redis that is
 * not ours no users can be made: all services use the login in the URL. In a PostgreSQL that is not ours database, roles and
 * schemas are made like in our own.
 */

import { join } from 'node:path';
import { natsAuthorization, type ServiceUser, serviceUsers } from '@postern/stream';
import { SetupError } from '../setup-error.js';
import type { DatabaseService } from '../trust/database-roles.js';
import { type RedisService, redisAcl, redisServices } from '../trust/redis-users.js';
import { ensureSecret, type Secret } from '../trust/secrets.js';
import { writeFileAtomic } from './atomic-file.js';
import { namedUrls } from './named-stores.js';
import type { ClusterPlan } from './plan.js';

export interface NatsAccess {
  readonly servers: readonly string[];
  /** Empty: a server that wants no login. */
  readonly users: Readonly<Record<ServiceUser, { readonly user?: string; readonly passwordFile?: string }>>;
  readonly monitors: readonly string[];
  /** Configuration text with all users; undefined when the server is not ours. */
  readonly authorization: string | undefined;
}

export interface RedisAccess {
  readonly url: string;
  readonly users: Readonly<
    Record<RedisService, { readonly username: string; readonly passwordFile: string } | undefined>
  >;
  readonly aclFile: string | undefined;
}

export interface DatabaseAccess {
  readonly host: string;
  readonly passwordFiles: Readonly<Record<DatabaseService, string>>;
  readonly adminUrl: string;
  /** Password of the superuser of our own server; undefined when the server is not ours. */
  readonly adminPassword: string | undefined;
}

export interface Stores {
  readonly nats: NatsAccess;
  readonly redis: RedisAccess;
  readonly database: DatabaseAccess;
}

function readUrls(name: string, environment: NodeJS.ProcessEnv, protocols: readonly string[]): URL[] {
  return namedUrls(environment[name]).map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined && protocols.includes(url.protocol.slice(0, -1)) && url.hostname !== '') return url;
    throw new SetupError(
      `${name} is not a URL of the form ${protocols[0]}://user:password@host:port.`,
      `correct or unset ${name}.`,
    );
  });
}

function readUrl(name: string, environment: NodeJS.ProcessEnv, protocols: readonly string[]): URL | undefined {
  const [url, ...more] = readUrls(name, environment, protocols);
  if (more.length === 0) return url;
  throw new SetupError(`${name} names several servers.`, `name one; only NATS is given several.`);
}

async function natsAccess(
  plan: ClusterPlan,
  urls: readonly URL[],
  environment: NodeJS.ProcessEnv,
): Promise<NatsAccess> {
  const { secrets } = plan.folder;
  const [first] = urls;
  if (first !== undefined) {
    // Nodes of one cluster know the same users: the login stands in any of the URLs.
    const named = urls.find(({ username }) => username !== '') ?? first;
    const file = join(secrets, 'nats-external');
    await writeFileAtomic(file, `${decodeURIComponent(named.password)}\n`);
    const login = named.username === '' ? {} : { user: decodeURIComponent(named.username), passwordFile: file };
    return {
      servers: urls.map(({ hostname, port }) => `${hostname}:${port || '4222'}`),
      users: { edge: login, policy: login, queue: login, delivery: login, provisioning: login },
      monitors: namedUrls(environment.POSTERN_NATS_MONITOR_URL),
      authorization: undefined,
    };
  }
  const made = await Promise.all(serviceUsers.map((user) => ensureSecret(secrets, `nats-${user}`)));
  const of = (user: ServiceUser): Secret => {
    const secret = made[serviceUsers.indexOf(user)];
    if (secret === undefined) throw new Error(`no NATS user for ${user}`);
    return secret;
  };
  const each = <T>(value: (user: ServiceUser) => T): Record<ServiceUser, T> => ({
    edge: value('edge'),
    policy: value('policy'),
    queue: value('queue'),
    delivery: value('delivery'),
    provisioning: value('provisioning'),
  });
  return {
    servers: [`127.0.0.1:${plan.natsPort}`],
    users: each((user) => ({ user, passwordFile: of(user).file })),
    monitors: [`http://127.0.0.1:${plan.natsMonitorPort}`],
    authorization: natsAuthorization(each((user) => of(user).value)),
  };
}

async function redisAccess(plan: ClusterPlan, url: URL | undefined): Promise<RedisAccess> {
  const { secrets } = plan.folder;
  if (url !== undefined) {
    const anonymous = url.password === '';
    const file = join(secrets, 'redis-external');
    await writeFileAtomic(file, `${decodeURIComponent(url.password)}\n`);
    const login = anonymous
      ? undefined
      : { username: decodeURIComponent(url.username) || 'default', passwordFile: file };
    const bare = new URL(url);
    bare.username = '';
    bare.password = '';
    return {
      url: bare.href.replace(/\/$/, ''),
      users: { edge: login, policy: login, delivery: login },
      aclFile: undefined,
    };
  }
  const [edge, policy, delivery] = await Promise.all([
    ensureSecret(secrets, 'redis-edge'),
    ensureSecret(secrets, 'redis-policy'),
    ensureSecret(secrets, 'redis-delivery'),
  ]);
  const aclFile = join(secrets, 'redis.acl');
  await writeFileAtomic(aclFile, redisAcl({ edge: edge.value, policy: policy.value, delivery: delivery.value }));
  const files = { edge: edge.file, policy: policy.file, delivery: delivery.file };
  const [edgeUser, policyUser, deliveryUser] = redisServices.map((service) => ({
    username: service,
    passwordFile: files[service],
  }));
  return {
    url: `redis://127.0.0.1:${plan.redisPort}`,
    users: { edge: edgeUser, policy: policyUser, delivery: deliveryUser },
    aclFile,
  };
}

async function databaseAccess(plan: ClusterPlan, url: URL | undefined): Promise<DatabaseAccess> {
  const { secrets } = plan.folder;
  const [queue, provisioning] = await Promise.all([
    ensureSecret(secrets, 'postgres-queue'),
    ensureSecret(secrets, 'postgres-provisioning'),
  ]);
  const passwordFiles = { queue: queue.file, provisioning: provisioning.file };
  if (url !== undefined) {
    return {
      host: `${url.hostname}:${url.port || '5432'}`,
      passwordFiles,
      adminUrl: url.href,
      adminPassword: undefined,
    };
  }
  const admin = await ensureSecret(secrets, 'postgres-admin');
  const host = `127.0.0.1:${plan.postgresPort}`;
  return {
    host,
    passwordFiles,
    adminUrl: `postgres://postgres:${admin.value}@${host}/postgres`,
    adminPassword: admin.value,
  };
}

/** Decide how each store is reached and make the secrets for it. */
export async function prepareStores(plan: ClusterPlan, environment: NodeJS.ProcessEnv): Promise<Stores> {
  return {
    nats: await natsAccess(plan, readUrls('POSTERN_NATS_URL', environment, ['nats']), environment),
    redis: await redisAccess(plan, readUrl('POSTERN_REDIS_URL', environment, ['redis', 'rediss'])),
    database: await databaseAccess(plan, readUrl('POSTERN_DATABASE_URL', environment, ['postgres', 'postgresql'])),
  };
}
