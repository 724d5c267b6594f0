/**
 * One-shot jobs of a cluster in containers: `main.js secrets` makes secrets and certificates and deals them out to a folder per
 * container; `main.js database` makes database, roles and schemas. Both may be repeated at every start.
 *   main.js secrets|database [--state DIR] [--readers DIR] [--name HOST ...] [--database HOST:PORT]
 */
import { parseArgs } from 'node:util';
import { systemClock } from '@postern/clock';
import { SetupError } from '../setup-error.js';
import { ensureDatabase } from '../trust/database-roles.js';
import { databaseSecrets, dealSecrets } from './secret-folders.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    state: { type: 'string', default: '/var/lib/postern/state' },
    readers: { type: 'string', default: '/var/lib/postern' },
    name: { type: 'string', multiple: true, default: ['mail.demo.test'] },
    database: { type: 'string', default: 'postgres:5432' },
  },
});

async function run(job: string | undefined): Promise<number> {
  if (job === 'secrets') {
    await dealSecrets({ state: values.state, readers: values.readers }, values.name, new Date(systemClock.now()));
    return 0;
  }
  if (job === 'database') {
    const { adminPassword, passwordFiles } = await databaseSecrets(values.state);
    await ensureDatabase(`postgres://postgres:${adminPassword}@${values.database}/postgres`, passwordFiles);
    return 0;
  }
  process.stderr.write(
    'usage: main.js secrets|database [--state DIR] [--readers DIR] [--name HOST ...] [--database HOST:PORT]\n',
  );
  return 2;
}

try {
  process.exitCode = await run(positionals[0]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`postern: ${error.message}\n`);
  process.exitCode = 1;
}
