/**
 * Redis users have positive lists of commands. What each service really asks is read from its source, scripts and client alike, and put before a
 * real Redis as that user: a command that is used and not given is found here and not by an operator.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type RedisService, redisAcl, redisServices } from '@postern/local';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../cluster/index.js';

const shared = 'packages/flow-control/src';
const sources: Readonly<Record<RedisService, readonly string[]>> = {
  edge: ['services/edge/src', shared],
  policy: ['services/policy/src', shared],
  // It keeps marks and nothing else: no limits, so no scripts.
  delivery: ['services/delivery/src', `${shared}/redis-connection.ts`],
};
const keyOf: Readonly<Record<RedisService, string>> = {
  edge: '{postern:flow:walk}',
  policy: '{postern:policy:walk}',
  delivery: 'postern:done:walk',
};
/** What variables that hold a client are called; the second test keeps it so. */
const clientName = /^(redis|lasting|server)$/;

const filesIn = (path: string): string[] =>
  path.endsWith('.ts') ? [join(projectRoot, path)] : globSync(join(projectRoot, path, '**/*.ts'));
const isProduct = (file: string): boolean => !/\.test\.ts$|\/testing\/|\/dist\/|\/node_modules\//.test(file);
const read = (file: string): string => readFileSync(file, 'utf8');
const usesClient = (text: string): boolean => /\bRedisClient\b|from 'ioredis'/.test(text);

const redis = withRedis();
let admin: Redis;
/** Number of words of each command, from the server itself; negative: at least so many. */
let arities: ReadonlyMap<string, number>;

beforeAll(async () => {
  admin = new Redis(redis.url, { maxRetriesPerRequest: 0 });
  const infos: unknown = await admin.call('COMMAND');
  const known = Array.isArray(infos) ? infos.filter((info): info is unknown[] => Array.isArray(info)) : [];
  arities = new Map(known.map(([name, arity]) => [String(name), Number(arity)]));
  const lines = redisAcl({ edge: 'one', policy: 'two', delivery: 'three' }).split('\n');
  for (const line of lines.filter((text) => text.startsWith('user ') && !text.startsWith('user default')))
    await admin.call('ACL', 'SETUSER', ...line.split(' ').slice(1));
});
afterAll(() => admin?.disconnect());

/** Commands inside scripts, and those sent by a client. */
function commandsOf(service: RedisService): string[] {
  const used = new Set<string>();
  for (const file of sources[service].flatMap(filesIn).filter(isProduct)) {
    const text = read(file);
    for (const [, name = ''] of text.matchAll(/\bredis\.p?call\(\s*['"](\w+)['"]/g)) used.add(name.toLowerCase());
    if (!usesClient(text)) continue;
    for (const [, holder = '', method = ''] of text.matchAll(/\b(\w+)\.(\w+)\(/g)) {
      const name = method.replace(/Buffer$/, '').toLowerCase();
      if (clientName.test(holder) && arities.has(name)) used.add(name);
    }
  }
  return [...used].sort();
}

/** Would the server let this user do it? Nothing is done. */
async function permitted(user: string, command: string, key: string): Promise<string> {
  const words = Math.abs(arities.get(command) ?? 2) - 1;
  // Of a script the second word is the number of its keys.
  const args = command.startsWith('eval') ? ['x', '1', key] : Array.from({ length: words }, () => key);
  return String(await admin.call('ACL', 'DRYRUN', user, command, ...args));
}

test.each(redisServices)('%s is given every command it uses', async (service) => {
  const used = commandsOf(service);
  expect(used).toEqual(expect.arrayContaining(service === 'delivery' ? ['get', 'set'] : ['time', 'hset', 'evalsha']));
  const answers = await Promise.all(used.map(async (name) => [name, await permitted(service, name, keyOf[service])]));
  expect(answers.filter(([, answer]) => answer !== 'OK')).toEqual([]);
  expect(await permitted(service, 'keys', keyOf[service])).toContain('no permissions');
  expect(await permitted(service, 'get', 'somebody-elses')).toContain('no permissions');
});

test('clients are held under the names that are looked for, by packages that are looked into', () => {
  const looked = Object.values(sources).flat();
  const files = globSync(join(projectRoot, '{services,packages}/*/src/**/*.ts')).filter(isProduct);
  const holding = files.filter((file) => usesClient(read(file)) && !/packages\/(e2e|testkit|bench)\//.test(file));
  const outside = holding
    .map((file) => relative(projectRoot, file))
    .filter((file) => !looked.some((path) => file.startsWith(path)));
  expect(outside).toEqual([]);
  const others = holding.flatMap((file) =>
    [...read(file).matchAll(/(\w+)\??:\s*(?:RedisClient|Redis|Redis \| Cluster)\b/g)]
      .map(([, name = '']) => name)
      .filter((name) => !clientName.test(name))
      .map((name) => `${relative(projectRoot, file)}: ${name}`),
  );
  expect(others).toEqual([]);
});

test.each(redisServices)('%s connects, and asks what a connection asks', async (service) => {
  const password = { edge: 'one', policy: 'two', delivery: 'three' }[service];
  const client = new Redis(redis.url, { username: service, password, maxRetriesPerRequest: 0, lazyConnect: true });
  const errors: string[] = [];
  client.on('error', (error: Error) => errors.push(error.message));
  await client.connect();
  expect(await client.ping()).toBe('PONG');
  await client.quit();
  expect(errors).toEqual([]);
});
