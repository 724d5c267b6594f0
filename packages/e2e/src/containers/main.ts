/**
 * `npm run test:containers`: builds the images of deploy/Dockerfile, brings docker-compose.yml up, sends mail, sees it in the mailbox, scales
 * policy, restarts with the data kept, and takes everything down. Bounded in time; whatever it started is gone afterwards.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@postern/local';
import { suiteOptions } from '@postern/testkit/suite';
import { namedImages, substituteImages } from './base-images.js';
import { endCommands } from './command.js';
import { type ComposeCluster, composeCluster } from './compose-cluster.js';
import { type DockerGround, dockerGround } from './docker-ground.js';
import { mailArrives } from './first-mail.js';

suiteOptions({ name: 'test:containers', takes: '3 minutes warm, up to 10 cold', defaults: {} });

const projectRoot = fileURLToPath(new URL('../../../../', import.meta.url));
const longestRunMs = 25 * 60_000;
const begun = performance.now();

function say(line: string): void {
  process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
}

async function check(cluster: ComposeCluster): Promise<void> {
  say('building the images');
  await cluster.build();
  for (const line of await cluster.imageFaults()) throw new Error(line);
  say('docker compose up');
  await cluster.up();
  await mailArrives(cluster, 'first', say);
  const status = await cluster.posternctl('status');
  if (!status.includes('SPOOL')) throw new Error(`posternctl status does not know the streams:\n${status}`);
  // Each service that counts or remembers in Redis has logged in there.
  for (const service of ['edge', 'policy', 'delivery'])
    if (!new RegExp(`^${service} .*\\bredis\\b.* ok$`, 'm').test(status))
      throw new Error(`${service} does not reach Redis:\n${status}`);
  const mailbox = await cluster.posternctl('mailbox');
  if (!mailbox.includes('alice@demo.test')) throw new Error(`posternctl mailbox does not list the mail:\n${mailbox}`);
  say('docker compose up --scale policy=2');
  await cluster.up('--scale', 'policy=2');
  await mailArrives(cluster, 'scaled', say);
  say('docker compose down, then up with the volumes kept');
  await cluster.down();
  await cluster.up();
  await mailArrives(cluster, 'again', say);
}

/** Rejects at the end of the time there is, and at Ctrl-C, so that what was started is taken down in every case. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not finished after ${longestRunMs / 60_000} minutes`)), longestRunMs).unref();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => reject(new Error(`${signal}: interrupted`)));
    }
  });
}

async function main(folder: string, interrupted: Promise<never>): Promise<void> {
  const starting = dockerGround(join(folder, 'docker'), join(folder, 'commands.log'), say);
  let cluster: ComposeCluster | undefined;
  const work = async () => {
    const ground = await starting;
    if (!ground.pulls) {
      const nodeBinary = join(projectRoot, 'node_modules', '.bin', 'node');
      await substituteImages(ground.run, folder, await namedImages(projectRoot), nodeBinary, say);
    }
    const [mx, submission, submissions, mailbox] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    cluster = composeCluster(ground.run, projectRoot, { mx, submission, submissions, mailbox });
    await check(cluster);
  };
  try {
    await Promise.race([work(), interrupted]);
  } catch (error) {
    await endCommands();
    const logs = await cluster?.logs().catch(() => '');
    if (logs) process.stdout.write(`${logs}\n`);
    throw error;
  } finally {
    say('taking down');
    await cluster?.down('--volumes', '--remove-orphans').catch((error: unknown) => say(String(error)));
    const ground: DockerGround | undefined = await starting.catch(() => undefined);
    await ground?.stop();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'postern-c-'));
try {
  await main(folder, interruption());
  say('test:containers passed');
} catch (error) {
  say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
  // Commands an interruption left running have nobody to answer to any more.
  process.exit();
}
