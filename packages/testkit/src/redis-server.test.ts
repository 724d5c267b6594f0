import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureRedis, freePort, startRedis } from '@postern/local';
import { expect, onTestFinished, test } from 'vitest';
import { withFolders } from './folders.js';
import { testRedis } from './redis-server.js';

const folders = withFolders();

test('the server that is named is the one that runs', async () => {
  const dir = await folders.make('named-redis');
  const [mark, program] = [join(dir, 'ran'), join(dir, 'server')];
  const { path, env } = await ensureRedis();
  const library = Object.entries(env).map(([name, value]) => `${name}='${value}' `);
  await writeFile(program, `#!/bin/sh\necho "$@" >> '${mark}'\n${library.join('')}exec '${path}' "$@"\n`);
  await chmod(program, 0o755);
  const binary = await testRedis({ POSTERN_TEST_REDIS_SERVER: program });
  expect(binary.path).toBe(program);
  const server = await startRedis({ dir, port: await freePort(), binary });
  onTestFinished(() => server.stop());
  expect((await readFile(mark, 'utf8')).trim().split('\n')).toEqual(['--version', join(dir, 'redis.conf')]);
});

test('one that does not run is told by the name of the variable; none is that of the machine', async () => {
  await expect(testRedis({ POSTERN_TEST_REDIS_SERVER: '/nowhere/valkey-server' })).rejects.toThrow(
    'POSTERN_TEST_REDIS_SERVER: /nowhere/valkey-server does not run; expected the path of a redis-server',
  );
  expect(await testRedis({ POSTERN_TEST_REDIS_SERVER: '' })).toEqual(await ensureRedis());
});
