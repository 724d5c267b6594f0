/**
 * What the attempts came to, for the person who sent the mail: whose server, in plain words, and never an address inside. The technical words stay for the
 * machine-readable part of the report, of servers out in the Internet only; ledger and trace keep them anyway.
 */
import { LaneClass } from '@postern/proto/mail/v1/item';

export interface FailureWords {
  readonly words: string;
  /** Absent: nobody outside is to see it, or there is none. */
  readonly diagnosis?: string;
}

const expired = /^delivery time expired(?:, last: (.*))?$/s;
/** As `replyLine` writes it: code, enhanced code, words, host. */
const line = /^(?:(\d{3}) )?(?:(\d\.\d{1,3}\.\d{1,3}) ?)?(.*?)(?: ?\(([^()\s]+)\))?$/s;

const network: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED|connection refused/i, 'did not take the connection'],
  [/ETIMEDOUT|in time|timed out/i, 'did not answer in time'],
  [/ECONNRESET|EPIPE|connection (?:closed|lost)|socket hang up/i, 'broke the connection off'],
  [/certificate|TLS|STARTTLS|SSL/, 'did not offer the encryption that is asked of it'],
  [/\bE[A-Z]{4,}\b|unreachable|\bconnect\b/, 'could not be reached'],
];

/** No connection, one that broke, or no TLS (RFC 3463 §3.5, §3.8); other words are of people, rules and DNS, and stay. */
const ofTheWay = /^4\.(?:4\.[12]|7\.0)$/;

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

interface Failed {
  readonly address: string;
  /** Ours, as an outcome keeps it. */
  readonly replyText: string;
  readonly enhancedCode: string;
}

/** `isOver`: its time is over, and no more attempts follow. */
export function failureWords(result: Failed, laneClass: LaneClass | undefined, isOver: boolean): FailureWords {
  const { address, replyText: text } = result;
  const over = expired.exec(text);
  const last = over === null ? text : (over[1] ?? '');
  const intro = isOver || over !== null ? 'It could not be delivered in time. ' : '';
  if (last === '') return { words: intro.trim() };
  const [, code, enhanced, said = '', host] = line.exec(last) ?? [];
  const isRemote = laneClass === LaneClass.REMOTE;
  const server = `The server of ${domainOf(address)}`;
  if (over !== null && code !== undefined) {
    const who = isRemote && host !== undefined ? host : server;
    return { words: `${intro}${who} said last: ${[code, enhanced, said].filter(Boolean).join(' ')}` };
  }
  const status = over === null ? result.enhancedCode : (enhanced ?? '');
  const known = ofTheWay.test(status) ? network.find(([pattern]) => pattern.test(said)) : undefined;
  if (known === undefined) return { words: `${intro}${over === null ? text : said}` };
  return { words: `${intro}${server} ${known[1]}.`, ...(isRemote ? { diagnosis: last } : {}) };
}
