import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SetupError } from '../setup-error.js';
import { composeCommand, images, programOrContainer } from './compose.js';

let dir = '';
const path = process.env.PATH;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-compose-'));
});
afterEach(async () => {
  process.env.PATH = path;
  await rm(dir, { recursive: true, force: true });
});

/** A docker that writes down what it is asked; `daemon` says whether one answers. */
async function docker(daemon: boolean): Promise<void> {
  const program = join(dir, 'docker');
  await writeFile(program, `#!/bin/sh\necho "$*" >> ${dir}/asked\n[ "$1" != info ] || exit ${daemon ? 0 : 1}\n`);
  await chmod(program, 0o755);
  process.env.PATH = `${dir}:${path}`;
}

const nowhere = () => Promise.reject(new SetupError('There is no nats-server.', 'put one on the PATH.'));

test('a container stands in only for what cannot be had, and only when a daemon answers', async () => {
  await docker(true);
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  expect(await programOrContainer('nats', async () => '/bin/nats', say)).toEqual({
    kind: 'program',
    binary: '/bin/nats',
  });
  expect(await programOrContainer('nats', nowhere, say)).toEqual({ kind: 'container' });
  expect(said).toEqual([`There is no nats-server. Using docker compose with ${images.nats} instead`]);
  await docker(false);
  await expect(programOrContainer('nats', nowhere, say)).rejects.toThrow(
    'There is no nats-server. Way out: put one on the PATH, or start docker with its compose plugin.',
  );
  const defect = new TypeError('a defect');
  await expect(programOrContainer('nats', () => Promise.reject(defect), say)).rejects.toBe(defect);
});

test('the container gets the configuration, the user and the loopback of this machine; what a killed run left is ended first', async () => {
  await docker(true);
  const { command, args } = await composeCommand({
    name: 'redis',
    program: ['redis-server', '/c'],
    dir,
    reads: ['/a'],
  });
  expect(command).toBe('docker');
  const file = join(dir, 'compose.yaml');
  expect(args.join(' ')).toMatch(
    new RegExp(`^compose --project-name postern-[0-9a-f]{16} --file ${file} up --force-recreate`),
  );
  expect(await readFile(join(dir, 'asked'), 'utf8')).toMatch(/ down --timeout 5\n$/);
  expect(parse(await readFile(file, 'utf8')).services.redis).toMatchObject({
    image: images.redis,
    entrypoint: ['redis-server', '/c'],
    network_mode: 'host',
    user: `${process.getuid?.()}:${process.getgid?.()}`,
    volumes: [`${dir}:${dir}`, '/a:/a:ro'],
  });
});

test('the images are those of docker-compose.yml', async () => {
  const { services } = parse(await readFile(new URL('../../../../docker-compose.yml', import.meta.url), 'utf8'));
  expect({ nats: services.nats.image, redis: services.redis.image }).toEqual(images);
});
