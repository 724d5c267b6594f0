/**
 * One mail in at the mx listener and one submitted with TLS and a login, both seen in the mailbox as they were sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import type { ComposeCluster } from './compose-cluster.js';

const patienceMs = 90_000;

/** Repeat until it succeeds; a cluster that has just come up may answer 4xx, as it should. */
async function eventually<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (performance.now() > deadline) throw new Error(`${what}: ${reason}`);
      await sleep(500);
    }
  }
}

async function arrived(cluster: ComposeCluster, subject: string): Promise<void> {
  const base = `http://127.0.0.1:${cluster.ports.mailbox}/messages`;
  const signal = AbortSignal.timeout(5_000);
  const list: unknown = await (await fetch(`${base}?recipient=alice@demo.test`, { signal })).json();
  const ids = [...JSON.stringify(list).matchAll(/"id":"([0-9A-Z]{26})"/g)].map((match) => match[1] ?? '');
  for (const id of ids) {
    const raw = await (await fetch(`${base}/${id}/raw`, { signal })).text();
    if (raw.includes(`Subject: ${subject}\r\n`)) return;
  }
  throw new Error(`${ids.length} messages, none with subject ${subject}`);
}

export async function mailArrives(cluster: ComposeCluster, name: string, say: (line: string) => void): Promise<void> {
  const host = '127.0.0.1';
  const timeouts = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 };
  const mx = createTransport({ host, port: cluster.ports.mx, ignoreTLS: true, ...timeouts });
  const text = 'Hello Postern\r\n';
  await eventually('mail at mx', () =>
    mx.sendMail({ from: 'you@example.org', to: 'alice@demo.test', subject: `mx-${name}`, text }),
  );
  const pass = (await cluster.inside('provisioning', 'cat', '/run/postern/demo.password')).trim();
  const auth = { user: 'alice@demo.test', pass };
  // The certificate is of an authority of the cluster's own; that TLS is there is what is tested.
  const submission = createTransport({
    host,
    port: cluster.ports.submissions,
    secure: true,
    auth,
    tls: { rejectUnauthorized: false },
    ...timeouts,
  });
  await eventually('mail at submissions', () =>
    submission.sendMail({ from: 'alice@demo.test', to: 'alice@demo.test', subject: `login-${name}`, text }),
  );
  for (const subject of [`mx-${name}`, `login-${name}`]) {
    await eventually(`mail ${subject} in the mailbox`, () => arrived(cluster, subject));
  }
  say(`mail ${name}: delivered`);
}
