import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { directoryKey, openBucket } from '@postern/stream';
import { withNats, withPostgres } from '@postern/testkit';
import { expect, test } from 'vitest';
import { eventually, openTestDatabase, openTestStreams } from './testing/ground.js';
import { prepareService, startPrepared } from './testing/service.js';

const nats = withNats();
const postgres = withPostgres();
const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Runs the service as a process until its failpoint kills it. */
async function killedAt(failpoint: string, configFile: string): Promise<string | null> {
  const armFile = `${configFile}.failpoint`;
  await writeFile(armFile, failpoint);
  const child = spawn(process.execPath, [program, '--config', configFile], {
    env: { ...process.env, POSTERN_FAILPOINT_FILE: armFile },
    stdio: 'ignore',
    timeout: 20_000,
    killSignal: 'SIGTERM',
  });
  const [, signal] = await once(child, 'exit');
  return typeof signal === 'string' ? signal : null;
}

test.each(['provisioning.after-directory', 'provisioning.before-snapshot', 'provisioning.after-snapshot'])(
  'killed at %s, the next start publishes all of it',
  async (failpoint) => {
    const database = await openTestDatabase(postgres);
    const connection = await openTestStreams(nats);
    const name = failpoint.replace('provisioning.', '');
    const address = `alice@${name}.test`;
    const yaml = `
defaultNextHop: mailbox
nextHops: { mailbox: { hosts: [{ host: 127.0.0.1, port: 2600 }] } }
tenants: [{ name: ${name}, domains: [{ name: ${name}.test }], users: [{ address: ${address} }] }]`;
    const prepared = await prepareService(database, nats, yaml);
    try {
      expect(await killedAt(failpoint, prepared.configFile)).toBe('SIGKILL');
      const service = await startPrepared(prepared);
      try {
        const [config, directory] = await Promise.all([
          openBucket(connection, systemClock, 'CONFIG'),
          openBucket(connection, systemClock, 'DIRECTORY'),
        ]);
        await eventually(5_000, async () => {
          const { rows } = await database.admin.query('SELECT count(*)::int AS n FROM config.outbox');
          return rows[0].n === 0;
        });
        const snapshot = Snapshot.decode((await config.get('snapshot'))?.value ?? new Uint8Array());
        expect(snapshot.domains.map((domain) => domain.name)).toEqual([`${name}.test`]);
        expect((await directory.get(directoryKey(address)))?.value).toBeDefined();
      } finally {
        await service.stop();
      }
    } finally {
      await connection.close();
      await database.close();
    }
  },
);

test('a wrong operator file stops the start with one line: file, line, field, value, what is allowed', async () => {
  const database = await openTestDatabase(postgres);
  const prepared = await prepareService(database, nats, 'hostname: mx.example.test\nlimits: { interval: fast }\n');
  try {
    const child = spawn(process.execPath, [program, '--config', prepared.configFile], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let error = '';
    child.stderr.on('data', (chunk) => (error += String(chunk)));
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(error).toMatch(/operator\.yaml:2: limits\.interval: "fast" is not allowed; expected a duration/);
    expect(error.trim().split('\n')).toHaveLength(1);
  } finally {
    await database.close();
  }
});
