/** After every attack: does mail still go through, at once and after having waited? */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import type { Cluster } from '../cluster/cluster.js';
import type { Report } from './report.js';
import type { SentBook } from './sent-book.js';

export interface AttackContext {
  readonly report: Report;
  readonly cluster: Cluster;
  readonly book: SentBook;
  readonly seed: number;
}

let number = 0;

/** Sends one message; the token under which the book waits for it. `waits`: the next hop puts it off twice. */
export async function sendOne({ cluster, book }: AttackContext, waits: boolean): Promise<string> {
  const token = `after-${process.pid}-${++number}`;
  const to = `${waits ? 'later' : 'now'}-${token}@fuzz.test`;
  const text = buildMessage({ from: 'a@sender.test', to, size: 500 });
  const data = Buffer.concat([Buffer.from(`X-Fuzz: ${token}\r\n`), text]);
  book.send(token, [to], data);
  const sender = await SmtpSender.open({ port: await cluster.port('mx'), timeoutMs: 30_000 });
  try {
    await sender.greet();
    const reply = await sender.send({ from: 'a@sender.test', to: [to], data });
    book.settle(token, reply.code);
    if (reply.code !== 250) throw new Error(`answered ${reply.code} ${reply.text}`);
  } finally {
    sender.destroy();
  }
  return token;
}

export async function waitArrived({ book }: AttackContext, token: string, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (book.missing().includes(token)) {
    if (Date.now() > end) return false;
    await sleep(100);
  }
  return true;
}

export async function checkMailGoesOn(context: AttackContext, after: string): Promise<void> {
  await context.report.part(`mail goes on after ${after}`, async () => {
    const problems: string[] = [];
    const [now, later] = [await sendOne(context, false), await sendOne(context, true)];
    if (!(await waitArrived(context, now, 30_000))) problems.push('a message did not arrive in 30 s');
    if (!(await waitArrived(context, later, 60_000))) problems.push('a message put off twice did not arrive in 60 s');
    context.report.check(`mail goes on after ${after}`, [...problems, ...context.book.problems.slice(0, 3)]);
  });
}
