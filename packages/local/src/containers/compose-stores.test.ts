/**
 * The logins of docker-compose.yml as the services read them: each service that has a section for a store comes with its own user, whom that
 * store knows, and the password dealt out for it. No container is started.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConfigDefinition, checkLayers, commonSections, defineConfig, type Fields } from '@postern/config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { schemas } from '../trust/database-roles.js';
import { dealSecrets } from './secret-folders.js';

const services = ['edge', 'policy', 'queue', 'delivery', 'provisioning'] as const;
type Service = (typeof services)[number];

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const composeFile = fromRoot('docker-compose.yml');
/** Where each container has its secrets. */
const mounted = '/run/postern';

interface ComposeService {
  readonly environment: Readonly<Record<string, string>>;
  readonly depends_on: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes: readonly unknown[];
}

let dealt: string;
let compose: Readonly<Record<Service, ComposeService>>;
let natsUsers: string;
let redisAcl: string;

beforeAll(async () => {
  dealt = await mkdtemp(join(tmpdir(), 'postern-compose-'));
  await dealSecrets(
    { state: join(dealt, 'state'), readers: dealt },
    ['mail.demo.test'],
    new Date(Date.UTC(2026, 0, 1)),
  );
  compose = parse(await readFile(composeFile, 'utf8'), { merge: true }).services;
  natsUsers = await readFile(join(dealt, 'nats', 'passwords.conf'), 'utf8');
  redisAcl = await readFile(join(dealt, 'redis', 'users.acl'), 'utf8');
});
afterAll(() => rm(dealt, { recursive: true, force: true }));

const isDefinition = (value: unknown): value is ConfigDefinition<Fields> =>
  typeof value === 'object' && value !== null && 'fields' in value && 'foreign' in value;

/** Whether the service itself has such a section: only then does it call that store. */
async function storesOf(service: Service): Promise<{ nats: boolean; redis: boolean; database: boolean }> {
  const module: unknown = await import(new URL(`../../../../services/${service}/dist/config.js`, import.meta.url).href);
  const definition =
    typeof module === 'object' && module !== null ? Object.values(module).find(isDefinition) : undefined;
  if (definition === undefined) throw new Error(`${service} has no definition of its configuration`);
  const has = (section: string) => Object.hasOwn(definition.fields, section);
  return { nats: has('nats'), redis: has('redis'), database: has('database') };
}

/** The sections of stores as a container reads them: one file for all, and the environment of that container. */
async function readBy(service: Service) {
  const { nats, redis, database } = commonSections;
  const base = {
    file: '/etc/postern/postern.yaml',
    text: await readFile(fromRoot('deploy/config/postern.yaml'), 'utf8'),
  };
  const { environment } = compose[service];
  const all = defineConfig(service, { nats, redis, database });
  const { value, problems } = checkLayers(all, { base, overlays: [], env: environment });
  expect(problems).toEqual([]);
  if (value === undefined) throw new Error('no value');
  return value;
}

async function dealtPassword(service: Service, file: string | undefined): Promise<string> {
  expect(compose[service].volumes).toContain(`${service}:${mounted}:ro`);
  expect(file).toMatch(new RegExp(`^${mounted}/`));
  return (await readFile(join(dealt, service, (file ?? '').slice(mounted.length + 1)), 'utf8')).trim();
}

test.each(services)('%s logs in to every store it has a section for, as a user that store knows', async (service) => {
  const stores = await storesOf(service);
  const { nats, redis, database } = await readBy(service);
  expect(stores.nats).toBe(true);
  expect(nats.user).toBe(service);
  const natsPassword = await dealtPassword(service, nats.passwordFile);
  expect(natsUsers).toContain(`${service.toUpperCase()}_PASSWORD: ${JSON.stringify(natsPassword)}\n`);

  if (stores.redis) {
    const hash = createHash('sha256').update(await dealtPassword(service, redis.passwordFile));
    expect({ username: redis.username }).toEqual({ username: service });
    expect(redisAcl).toContain(`user ${service} on #${hash.digest('hex')} `);
    expect(compose[service].depends_on).toMatchObject({ redis: { condition: 'service_healthy' } });
  }
  if (stores.database) {
    expect(Object.keys(schemas)).toContain(service);
    expect(new URL(database.url).username).toBe(service);
    expect(await dealtPassword(service, database.passwordFile)).not.toBe('');
  }
});

test('the user without a name opens no store', () => {
  expect(redisAcl).toMatch(/^user default off$/m);
});
