/**
 * The kinds of sessions and how often each comes. A kind knows what must never happen to it; what must never happen to any (a malformed reply,
 * silence, a process that dies) is judged elsewhere. Attack classes: anchors.md §6.
 */
import { chunkedTransaction } from './chunks.js';
import { abrupt, halfOpen } from './cut-sessions.js';
import { behindData, behindStartTls } from './injected-commands.js';
import { brokenParameters, controlBytes, longLines, mutant, outOfOrder, pipelined } from './odd-commands.js';
import { earlyTalker, http, proxyPreface, rawBytes, rawBytesForTls, tlsHello } from './other-protocols.js';
import { authGarbage, hugeRcptList } from './overreach.js';
import type { Chance } from './random.js';
import { illegalTransaction, legalTransaction, type SessionContext, smugglingTransaction } from './transactions.js';

export type ListenerName = 'mx' | 'submission' | 'submissions';

export interface SessionKind {
  readonly name: string;
  readonly weight: number;
  readonly listeners: readonly [ListenerName, ...ListenerName[]];
  /** Plain octets on the listener that expects TLS. */
  readonly withoutTls?: boolean;
  run(context: SessionContext): Promise<void>;
}

const mx: readonly [ListenerName] = ['mx'];
const any: readonly [ListenerName, ...ListenerName[]] = ['mx', 'mx', 'mx', 'submission'];

async function valid(context: SessionContext): Promise<void> {
  const { client } = context;
  if (!(await client.greet())) return;
  if (client.chance.yes(0.06)) {
    if ((await client.command('STARTTLS'))?.code !== 220 || !(await client.startTls())) return;
    await client.command('EHLO again.test');
  }
  for (let number = client.chance.between(1, 2); number > 0; number--) await legalTransaction(context, number);
  await client.quit();
}

async function repeated(
  context: SessionContext,
  one: (context: SessionContext, number: number) => Promise<void>,
): Promise<void> {
  const { client } = context;
  if (!(await client.greet())) return client.hangUp();
  for (let number = client.chance.between(1, 3); number > 0 && !client.closed; number--) await one(context, number);
  await client.quit();
}

export const sessionKinds: readonly [SessionKind, ...SessionKind[]] = [
  { name: 'valid', weight: 10, listeners: mx, run: valid },
  { name: 'out of order', weight: 10, listeners: any, run: outOfOrder },
  { name: 'broken parameters', weight: 10, listeners: mx, run: brokenParameters },
  { name: 'long lines', weight: 5, listeners: any, run: longLines },
  { name: 'control bytes', weight: 8, listeners: any, run: controlBytes },
  { name: 'half line ends', weight: 8, listeners: mx, run: (context) => repeated(context, illegalTransaction) },
  { name: 'smuggling', weight: 12, listeners: mx, run: (context) => repeated(context, smugglingTransaction) },
  { name: 'chunks', weight: 8, listeners: mx, run: (context) => repeated(context, chunkedTransaction) },
  { name: 'behind DATA', weight: 5, listeners: mx, run: behindData },
  { name: 'behind STARTTLS', weight: 2, listeners: any, run: behindStartTls },
  { name: 'half open', weight: 5, listeners: any, run: halfOpen },
  { name: 'abrupt', weight: 5, listeners: any, run: abrupt },
  { name: 'PROXY preface', weight: 3, listeners: any, run: proxyPreface },
  { name: 'TLS hello on plain', weight: 2, listeners: any, run: tlsHello },
  { name: 'HTTP', weight: 2, listeners: any, run: http },
  { name: 'AUTH garbage', weight: 1, listeners: ['submission', 'submissions'], run: authGarbage },
  { name: 'huge RCPT list', weight: 0.5, listeners: mx, run: hugeRcptList },
  { name: 'raw bytes', weight: 4, listeners: any, run: rawBytes },
  { name: 'raw bytes for TLS', weight: 2, listeners: ['submissions'], withoutTls: true, run: rawBytesForTls },
  { name: 'mutant', weight: 10, listeners: any, run: mutant },
  { name: 'early talker', weight: 3, listeners: any, run: earlyTalker },
  { name: 'pipelined', weight: 5, listeners: any, run: pipelined },
];

const totalWeight = sessionKinds.reduce((sum, { weight }) => sum + weight, 0);

export function chooseKind(chance: Chance): SessionKind {
  let left = chance.fraction() * totalWeight;
  for (const kind of sessionKinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return sessionKinds[0];
}
