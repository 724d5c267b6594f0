/**
 * Which Redis the tests of this process run against: that of the machine or the cache, or the program named by POSTERN_TEST_REDIS_SERVER (Valkey, another
 * release), which must run as it stands. Servers of whole clusters are named by POSTERN_REDIS_URL instead.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ensureRedis, type RedisBinary } from '@postern/local';

const variable = 'POSTERN_TEST_REDIS_SERVER';

export async function testRedis(environment: NodeJS.ProcessEnv = process.env): Promise<RedisBinary> {
  const named = environment[variable];
  if (named === undefined || named === '') return ensureRedis();
  try {
    await promisify(execFile)(named, ['--version'], { timeout: 10_000 });
  } catch (error) {
    throw new Error(`${variable}: ${named} does not run; expected the path of a redis-server or valkey-server`, {
      cause: error,
    });
  }
  return { path: named, env: {} };
}
