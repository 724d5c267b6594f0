/**
 * A disk that fills under NATS. nats-server then loses its place in a stream, acknowledges what no consumer will see, and forgets it at its next start:
 * so nothing is taken until it has room and was started again, and whatever was answered 250 arrives.
 */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { withSmallDisk } from '@postern/testkit';
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { waitAtRest } from '../cluster/index.js';
import { withMailWorld } from './mail-world.js';

const disk = withSmallDisk(96);
const world = withMailWorld({ prepare: (dataDir) => symlink(disk.path, join(dataDir, 'nats')) });
const patience = { timeout: 60_000, interval: 250 };

let number = 0;
const taken: string[] = [];

async function submit(): Promise<string> {
  const id = `disk-${++number}`;
  const sender = await world.speak('submissions', { login: 'bob' });
  try {
    const data = buildMessage({ from: 'bob@acme.test', to: 'carol@acme.test', id, size: 10_000 });
    const { code, text } = await sender.send({ from: 'bob@acme.test', to: ['carol@acme.test'], data });
    if (code === 250) taken.push(id);
    return `${code} ${text}`;
  } finally {
    sender.destroy();
  }
}

async function banner(): Promise<string> {
  const sender = await SmtpSender.open({ port: await world.cluster.port('mx') });
  const { code, text } = await sender.reply();
  sender.destroy();
  return `${code} ${text}`;
}

const arrived = (): string[] =>
  world.nextHop.messages.map(({ data }) => /<(disk-\d+)@/.exec(data.toString())?.[1] ?? '').sort();

const allArrived = () => vi.waitFor(() => expect(new Set(arrived())).toEqual(new Set(taken)), patience);

async function edgeMetrics(): Promise<string> {
  const { services } = await world.cluster.run();
  const edge = services.find(({ name }) => name === 'edge');
  return (await fetch(new URL('/metrics', edge?.metrics))).text();
}

test('a small disk gets small streams', () => {
  expect(world.cluster.output()).toMatch(/the disk is small: SPOOL holds \d+ MiB at most/);
});

test('full: mail is put off, also when there is room, until NATS was started again; nothing is lost', {
  timeout: 240_000,
}, async () => {
  for (let first = 0; first < 3; first++) expect(await submit()).toMatch(/^250 /);
  await allArrived();

  await disk.fill();
  await vi.waitFor(async () => expect(await submit()).toMatch(/^452 4\.3\.1 /), patience);
  await disk.makeRoom();
  const said = await submit().catch((error: unknown) => String(error));
  expect(said).toMatch(/4(52|21) 4\.3\.1 /);
  await vi.waitFor(async () => expect(await banner()).toMatch(/^421 4\.3\.1 /), patience);
  expect(await edgeMetrics()).toMatch(/postern_edge_stream_damaged 1/);

  const pid = await world.cluster.signal('nats', 'SIGKILL');
  await world.cluster.waitReplaced('nats', pid);
  await vi.waitFor(async () => expect(await submit()).toMatch(/^250 /), patience);
  for (let more = 0; more < 5; more++) expect(await submit()).toMatch(/^250 /);
  await allArrived();
  const metrics = await edgeMetrics();
  expect(metrics).toMatch(/postern_edge_stream_damaged 0/);
  expect(metrics).toMatch(/postern_edge_messages_total\{reply_class="5xx"\} 0/);
  await waitAtRest(world.cluster, 60_000);
});
