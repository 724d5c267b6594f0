/** What reached the next hop: per number, the queue ids under which it came. Some recipients are refused once with 451, so that mail waits, too. */
import { type SmtpSink, startSmtpSink } from '@postern/testkit/smtp';
import { numberHeader } from './load.js';

export interface Arrivals {
  readonly sink: SmtpSink;
  /** Number -> queue ids, one entry per arrival. */
  readonly byNumber: ReadonlyMap<number, readonly string[]>;
}

const numberPattern = new RegExp(`^${numberHeader}: (\\d+)`, 'm');
const idPattern = /\bid ([0-9A-HJKMNP-TV-Z]{26})\b/;

export interface ArrivalsOptions {
  /** Every n-th RCPT is answered 451; 0 = none. */
  readonly deferEvery: number;
}

export async function collectArrivals(options: ArrivalsOptions): Promise<Arrivals> {
  const byNumber = new Map<number, string[]>();
  let asked = 0;
  const sink = await startSmtpSink({
    keep: false,
    replyTo: () => (options.deferEvery > 0 && ++asked % options.deferEvery === 0 ? 451 : undefined),
    onMessage: ({ data }) => {
      const head = data.toString('latin1', 0, Math.min(data.length, 16_384));
      const number = Number(numberPattern.exec(head)?.[1] ?? Number.NaN);
      if (Number.isNaN(number)) return;
      const queueId = idPattern.exec(head)?.[1] ?? 'unknown';
      const arrivals = byNumber.get(number);
      if (arrivals === undefined) byNumber.set(number, [queueId]);
      else arrivals.push(queueId);
    },
  });
  return { sink, byNumber };
}
