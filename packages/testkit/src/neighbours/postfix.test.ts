import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, portIsFree } from '@postern/local';
import { afterAll, expect, test, vi } from 'vitest';
import { buildMessage, SmtpSender, startSmtpSink } from '../smtp/index.js';
import { startPostfix } from './postfix.js';

const dirs: string[] = [];
const folder = async () => {
  const dir = await mkdtemp(join(tmpdir(), 'postern-postfix-'));
  dirs.push(dir);
  return dir;
};
afterAll(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 5 }))));

const data = buildMessage({ from: 'a@x.test', to: 'b@y.test', size: 3_000 });
const body = data.subarray(data.indexOf('\r\n\r\n') + 4);
const asRoot = test.runIf(process.getuid?.() === 0);

asRoot('relays what sendmail is given, byte for byte', { timeout: 180_000 }, async () => {
  const sink = await startSmtpSink();
  const relayHost = `127.0.0.1:${sink.port}`;
  const postfix = await startPostfix({ dir: await folder(), port: await freePort(), mode: 'relay', relayHost });
  try {
    await postfix.submit({ from: 'a@x.test', to: ['b@y.test'], data });
    await vi.waitFor(() => expect(sink.count()).toBe(1), { timeout: 20_000 });
    const taken = sink.messages[0]?.data ?? Buffer.alloc(0);
    expect(taken.subarray(taken.indexOf('\r\n\r\n') + 4).equals(body)).toBe(true);
  } finally {
    await postfix.stop();
    await sink.close();
  }
  await vi.waitFor(async () => expect(await portIsFree(postfix.port)).toBe(true), { timeout: 10_000 });
});

asRoot('delivers into a maildir, and discards', { timeout: 180_000 }, async () => {
  const maildir = await startPostfix({ dir: await folder(), port: await freePort(), mode: 'sink-maildir' });
  const discard = await startPostfix({ dir: await folder(), port: await freePort(), mode: 'discard' });
  try {
    for (const { port } of [maildir, discard]) {
      const sender = await SmtpSender.open({ port });
      await sender.greet();
      expect((await sender.send({ from: 'a@x.test', to: ['b@y.test'], data })).code).toBe(250);
      await sender.quit();
    }
    await vi.waitFor(async () => expect(await maildir.delivered()).toHaveLength(1), { timeout: 20_000 });
    const [taken] = await maildir.delivered();
    expect(taken?.toString().replaceAll('\n', '\r\n').endsWith(`\r\n\r\n${body}`)).toBe(true);
    await vi.waitFor(async () => expect(await discard.log()).toMatch(/postfix\/discard.*status=sent/), {
      timeout: 20_000,
    });
    expect(await discard.queue()).toContain('queue is empty');
  } finally {
    await maildir.stop();
    await discard.stop();
  }
});
