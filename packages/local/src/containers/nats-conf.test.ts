import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceUsers } from '@postern/stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureNats } from '../servers/nats.js';
import { natsContainerConfiguration } from './nats-conf.js';
import { dealSecrets } from './secret-folders.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-containers-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const deal = () =>
  dealSecrets({ state: join(folder, 'state'), readers: folder }, ['mail.demo.test'], new Date(Date.UTC(2026, 0, 1)));

test('nats-server takes the configuration with the passwords that were dealt out', async () => {
  await deal();
  const configuration = join(folder, 'nats.conf');
  await mkdir(join(folder, 'secrets'));
  await writeFile(join(folder, 'secrets', 'passwords.conf'), await readFile(join(folder, 'nats', 'passwords.conf')));
  await writeFile(configuration, natsContainerConfiguration());
  const server = await ensureNats();
  const checked = spawnSync(server, ['-t', '-c', configuration], { encoding: 'utf8' });
  expect({ status: checked.status, text: checked.stderr }).toEqual({
    status: 0,
    text: expect.not.stringMatching(/error/i),
  });

  await writeFile(join(folder, 'secrets', 'passwords.conf'), '');
  expect(spawnSync(server, ['-t', '-c', configuration]).status).not.toBe(0);
});

test('each container is dealt its own secrets and no others; a second run changes none', async () => {
  await deal();
  const all = async () => {
    const contents = new Map<string, string>();
    for (const path of await readdir(folder, { recursive: true })) {
      if ((await stat(join(folder, path))).isFile()) contents.set(path, await readFile(join(folder, path), 'latin1'));
    }
    return contents;
  };
  const first = await all();
  const dealt = [...first.keys()].filter((path) => !path.startsWith('state/')).sort();
  expect(dealt).toEqual([
    'client/ca.crt',
    'client/demo.password',
    'delivery/nats.password',
    'delivery/redis.password',
    'delivery/scope.key',
    'delivery/seal.key',
    'edge/nats.password',
    'edge/redis.password',
    'edge/scope.key',
    'edge/server.crt',
    'edge/server.key',
    'edge/ticket.key',
    'nats/passwords.conf',
    'policy/nats.password',
    'policy/redis.password',
    'policy/scope.key',
    'postgres/admin.password',
    'provisioning/database.password',
    'provisioning/demo.password',
    'provisioning/nats.password',
    'provisioning/scope.key',
    'provisioning/seal.key',
    'queue/database.password',
    'queue/nats.password',
    'queue/scope.key',
    'redis/users.acl',
  ]);
  const passwords = serviceUsers.map((service) => first.get(`${service}/nats.password`)?.trim() ?? '');
  expect(new Set(passwords).size).toBe(serviceUsers.length);
  for (const password of passwords) expect(first.get('nats/passwords.conf')).toContain(JSON.stringify(password));
  await deal();
  expect(await all()).toEqual(first);
});
