/** What reached the next hop: per number, the queue ids under which it came and when. Some recipients are refused once with 451, so that mail waits, too. */
import { type SmtpSink, startSmtpSink } from '@postern/testkit/smtp';
import { keyOf, numberHeader } from './load.js';

export interface Arrivals {
  readonly sink: SmtpSink;
  /** Key (`keyOf`) -> one entry per arrival. */
  readonly byKey: ReadonlyMap<string, readonly Arrival[]>;
}

export interface Arrival {
  readonly queueId: string;
  readonly atMs: number;
}

const numberPattern = new RegExp(`^${numberHeader}: (\\d+)`, 'm');
const idPattern = /\bid ([0-9A-HJKMNP-TV-Z]{26})\b/;
const messageIdPattern = /^Message-ID: (\S+)/im;

export interface ArrivalsOptions {
  /** Every n-th RCPT is answered 451; 0 = none. */
  readonly deferEvery: number;
  readonly secondDomain: string;
}

export async function collectArrivals(options: ArrivalsOptions): Promise<Arrivals> {
  const byKey = new Map<string, Arrival[]>();
  let asked = 0;
  const sink = await startSmtpSink({
    keep: false,
    replyTo: () => (options.deferEvery > 0 && ++asked % options.deferEvery === 0 ? 451 : undefined),
    onMessage: ({ data, recipients }) => {
      const head = data.toString('latin1', 0, Math.min(data.length, 16_384));
      const number = Number(numberPattern.exec(head)?.[1] ?? Number.NaN);
      if (Number.isNaN(number)) return;
      // A report has no trace of its own; its Message-ID tells it from that of another try.
      const queueId = (idPattern.exec(head) ?? messageIdPattern.exec(head))?.[1] ?? 'unknown';
      const key = keyOf(
        number,
        recipients.some((recipient) => recipient.endsWith(`@${options.secondDomain}`)),
      );
      const arrivals = byKey.get(key);
      const arrival = { queueId, atMs: Date.now() };
      if (arrivals === undefined) byKey.set(key, [arrival]);
      else arrivals.push(arrival);
    },
  });
  return { sink, byKey };
}
