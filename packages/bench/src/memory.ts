/**
 * `npm run bench:memory`: does the edge's memory depend on message size? 20 connections pass 3 MB each, then, on a fresh edge process, 30 MB each; prints the peak
 * resident size (VmHWM) of both. Bounded: 20 messages a round.
 */

import { readFile } from 'node:fs/promises';
import { startCluster } from '@postern/e2e/cluster';
import { buildMessage, SmtpSender, startSmtpSink } from '@postern/testkit/smtp';
import { suiteOptions } from '@postern/testkit/suite';
import { waitSunk } from './peer.js';

suiteOptions({ name: 'bench:memory', takes: 'about 80 seconds', defaults: {} });

const connections = 20;
const MB = 1_000_000;

async function peakMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

async function pass(port: number, size: number): Promise<void> {
  const data = buildMessage({ from: 'load@sender.test', to: 'big@memory.test', size });
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const sender = await SmtpSender.open({ port, timeoutMs: 300_000 });
      await sender.greet();
      const reply = await sender.send({ from: 'load@sender.test', to: ['big@memory.test'], data });
      if (reply.code !== 250) throw new Error(`refused: ${reply.code} ${reply.text}`);
      await sender.quit();
    }),
  );
}

const sink = await startSmtpSink({ keep: false });
const cluster = await startCluster({
  config: {
    nextHops: { memory: { hosts: [{ host: '127.0.0.1', port: sink.port, tls: 'none' }] } },
    checks: { spf: { enabled: false }, dkim: { enabled: false }, dmarc: { enabled: false }, dnsbl: { enabled: false } },
    tenants: [{ name: 'memory', domains: [{ name: 'memory.test', nextHop: 'memory', validateRecipients: false }] }],
  },
});
try {
  const peaks: number[] = [];
  for (const size of [3 * MB, 30 * MB]) {
    const old = await cluster.signal('edge', 'SIGKILL');
    await cluster.waitReplaced('edge', old);
    const [pid = 0] = await cluster.pids('edge');
    const before = sink.count();
    await pass(await cluster.port('mx'), size);
    const peak = await peakMiB(pid);
    peaks.push(peak);
    console.log(`${connections} connections, ${size / MB} MB each: edge peak ${peak.toFixed(0)} MiB`);
    await waitSunk(sink.count, before + connections);
  }
  const [small = 0, large = 0] = peaks;
  console.log(`difference ${(large - small).toFixed(0)} MiB (bound 32), peak ${large.toFixed(0)} MiB (bound 350)`);
  process.exitCode = large < 350 && large - small <= 32 ? 0 : 1;
} finally {
  await cluster.stop();
  await sink.close();
}
