/** Policy processes killed -9 under load, one after the other: no session may notice (no reply 4xx or 5xx, no lost connection), and nothing is lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { mxPorts, type ScaleContext } from './limits-part.js';

const senders = 8;
const messagesPerConnection = 5;

interface Load {
  readonly problems: string[];
  readonly accepted: string[];
}

async function oneConnection(port: number, number: number, load: Load): Promise<void> {
  const sender = await SmtpSender.open({ port, timeoutMs: 30_000 });
  await sender.greet();
  for (let message = 0; message < messagesPerConnection; message++) {
    const id = `scale-${number}-${message}`;
    const to = `r${number}@load.test`;
    const data = buildMessage({ from: 'a@sender.test', to, id, size: 2_000, headers: { 'X-Scale': id } });
    const reply = await sender.send({ from: 'a@sender.test', to: [to], data });
    if (reply.code === 250) load.accepted.push(id);
    else load.problems.push(`${id}: ${reply.code} ${reply.text}`);
    await sleep(20);
  }
  await sender.quit();
}

export async function scalePolicyDeath(context: ScaleContext, arrived: ReadonlySet<string>): Promise<void> {
  const { report, cluster } = context;
  await context.setLimits({});
  const ports = await mxPorts(context);
  const load: Load = { problems: [], accepted: [] };
  let stopping = false;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (!stopping) {
      const number = next++;
      try {
        await oneConnection(ports[number % ports.length] ?? 0, number, load);
      } catch (error) {
        load.problems.push(`connection ${number}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  const workers = Array.from({ length: senders }, worker);
  for (let victim = 0; victim < 2; victim++) {
    await sleep(3_000);
    const pid = await cluster.signal('policy', 'SIGKILL', victim);
    report.say(`        killed policy ${victim} after ${load.accepted.length} messages`);
    await cluster.waitReplaced('policy', pid, 30_000);
  }
  await sleep(2_000);
  stopping = true;
  await Promise.all(workers);
  report.check(
    `two policy processes killed under load fail no session (${load.accepted.length} messages)`,
    load.problems,
  );
  const end = Date.now() + 60_000;
  while (load.accepted.some((id) => !arrived.has(id)) && Date.now() < end) await sleep(200);
  report.check(
    'everything accepted meanwhile arrived',
    load.accepted.filter((id) => !arrived.has(id)),
  );
}
