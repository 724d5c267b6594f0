/**
 * Fetch the servers that tests start, before the first test runs. Run by `npm test`; prints one line per step and ends 1
 * with one line if a server cannot be had.
 */
import { ensureNats } from './servers/nats.js';
import { ensurePostgres } from './servers/postgres.js';
import { ensureRedis } from './servers/redis.js';
import { sharedCache } from './servers/server-cache.js';
import { SetupError } from './setup-error.js';

const progress = (line: string) => {
  process.stderr.write(`postern: ${line}\n`);
};

try {
  await Promise.all([ensureNats(sharedCache(), progress), ensureRedis(sharedCache(), progress), ensurePostgres()]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`postern: ${error.message}\n`);
  process.exitCode = 1;
}
