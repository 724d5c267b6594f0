import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect as connectNats } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processExists } from './folder-lock.js';
import { freePort } from './free-port.js';
import { ensureNats, startNats } from './nats.js';
import { startNatsCluster } from './nats-cluster.js';
import { startPostgres } from './postgres.js';
import { ensureRedis, startRedis } from './redis.js';
import type { RunningServer } from './running-server.js';
import { askOnce } from './tcp-dialogue.js';

let dir = '';
const running: RunningServer[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-launch-'));
});
afterAll(async () => {
  await Promise.all(running.map((server) => server.stop('SIGKILL')));
  await rm(dir, { recursive: true, force: true });
});

function kept(server: RunningServer): RunningServer {
  running.push(server);
  return server;
}

describe('nats', () => {
  test('a message acknowledged before kill -9 is there after the restart, and sync_always is read back', async () => {
    const binary = await ensureNats();
    const options = { dir: join(dir, 'nats'), port: await freePort(), monitorPort: await freePort(), binary };
    const first = kept(await startNats(options));
    const connection = await connectNats({ servers: first.address, reconnect: false });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'KEEP', subjects: ['keep'] });
    await jetstream(connection).publish('keep', 'still here');
    const monitor = await fetch(`http://127.0.0.1:${options.monitorPort}/jsz?config=true`);
    expect(await monitor.json()).toMatchObject({ config: { sync_always: true } });
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await connection.closed();

    const second = kept(await startNats(options));
    const again = await connectNats({ servers: second.address });
    const info = await (await jetstreamManager(again)).streams.info('KEEP');
    expect(info.state.messages).toBe(1);
    await again.close();
    await second.stop();
    expect(processExists(second.pid)).toBe(false);
  });

  test('three nodes form a cluster that keeps serving without one of them', async () => {
    const cluster = await startNatsCluster({ dir: join(dir, 'cluster') });
    try {
      const connection = await connectNats({ servers: [...cluster.urls] });
      const manager = await jetstreamManager(connection);
      await manager.streams.add({ name: 'R3', subjects: ['r3'], num_replicas: 3 });
      await jetstream(connection).publish('r3', 'one');
      await cluster.nodes[0]?.server.stop('SIGKILL');
      await expect
        .poll(
          () =>
            jetstream(connection)
              .publish('r3', 'two', { timeout: 1000 })
              .then(
                (ack) => ack.seq,
                () => 0,
              ),
          { timeout: 20_000 },
        )
        .toBeGreaterThan(1);
      await cluster.nodes[0]?.restart();
      await connection.close();
    } finally {
      await cluster.stop();
    }
  }, 60_000);

  test('a port in use is one clear line', async () => {
    const options = { dir: join(dir, 'taken'), port: await freePort(), monitorPort: await freePort() };
    const first = kept(await startNats(options));
    await expect(startNats({ ...options, dir: join(dir, 'taken2') })).rejects.toThrow(
      `Port ${options.port}, wanted by nats, is in use`,
    );
    await first.stop();
  });
});

describe('redis', () => {
  test('with an append-only file a value survives stop and start; a wrong password is refused', async () => {
    const binary = await ensureRedis();
    const options = { dir: join(dir, 'redis'), port: await freePort(), password: 'right', appendOnly: true, binary };
    const first = kept(await startRedis(options));
    expect(await askOnce(options.port, 'AUTH right\r\nSET k v\r\n', /\+OK\r\n\+OK/)).not.toBe('');
    expect(await askOnce(options.port, 'AUTH wrong\r\n', /^-WRONGPASS/)).not.toBe('');
    await first.stop();
    const second = kept(await startRedis(options));
    expect(await askOnce(options.port, 'AUTH right\r\nGET k\r\n', /\$1\r\nv\r\n/)).not.toBe('');
    await second.stop();
  });
});

describe('postgres', () => {
  test('committed rows survive kill -9 and a second start over the same folder', async () => {
    const options = { dir: join(dir, 'postgres'), port: await freePort(), password: 'secret' };
    const first = kept(await startPostgres(options));
    const client = new pg.Client({
      host: '127.0.0.1',
      port: options.port,
      user: 'postgres',
      password: 'secret',
      database: 'postgres',
    });
    client.on('error', () => {});
    await client.connect();
    await client.query('create table kept (n int)');
    await client.query('insert into kept values (7)');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;

    const second = kept(await startPostgres(options));
    const again = new pg.Client({
      host: '127.0.0.1',
      port: options.port,
      user: 'postgres',
      password: 'secret',
      database: 'postgres',
    });
    again.on('error', () => {});
    await again.connect();
    expect((await again.query('select n from kept')).rows).toEqual([{ n: 7 }]);
    const stopped = performance.now();
    await second.stop();
    expect(performance.now() - stopped).toBeLessThan(5_000);
    expect(await readFile(join(options.dir, 'postgres.log'), 'utf8')).toContain('shut down');
  });
});
