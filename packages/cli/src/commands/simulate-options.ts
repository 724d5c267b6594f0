/** What posternctl simulate is told on its command line, and what of it makes no sense: refused with the option before anything is asked. */
import { isIP } from 'node:net';
import { UsageError } from '../usage-error.js';

export interface SimulateOptions {
  readonly client?: string;
  readonly sourceNat?: boolean;
  readonly recorded?: string;
  readonly domain?: string;
  readonly helo: string;
  readonly from?: string;
  readonly to: readonly string[];
  readonly user?: string;
  readonly mechanism: string;
  readonly listener?: string;
  readonly clientCertificate?: string;
  readonly tls?: string | false;
  readonly size: number;
  readonly message?: string;
  readonly rule: readonly string[];
  readonly checks?: string;
  readonly reply?: string;
  readonly attempt: number;
  readonly age: number;
  readonly tenant?: string;
}

/** Options of a session that is described, not recorded. */
export interface DescribedOptions extends SimulateOptions {
  readonly client: string;
}

const refused = (option: string, value: string, expected: string): UsageError =>
  new UsageError(`${option}: ${JSON.stringify(value)} is not allowed; expected ${expected}`);

const mailbox =
  /^(?:"(?:[^"\\\p{Cc}]|\\[ -~])*"|[^\s@<>"(),:;\\[\]\p{Cc}]+)@(?:\[[0-9A-Za-z:.]+\]|[^\s@<>"(),:;\\[\]\p{Cc}]+)$/u;
const greeting = /^[!-~]{1,255}$/;

/** What could not have been said in SMTP is not judged. */
function assertSayable({ helo, from, to }: SimulateOptions): void {
  const isAddress = (value: string): boolean => value.length <= 320 && mailbox.test(value);
  if (!greeting.test(helo)) throw refused('--helo', helo, 'a name or an address literal, without spaces');
  if (from !== undefined && from !== '' && !isAddress(from))
    throw refused('--from', from, 'an address user@domain, or "" for the null sender');
  for (const one of to) if (!isAddress(one)) throw refused('--to', one, 'an address user@domain');
}

export function assertDescribed(options: SimulateOptions): asserts options is DescribedOptions {
  const { client, from, to, message, clientCertificate, tls } = options;
  if (client === undefined) throw new UsageError('--client or --recorded is needed');
  if (isIP(client) === 0) throw refused('--client', client, 'an IP address');
  if (to.length > 0 && from === undefined) throw new UsageError('--to needs --from');
  if (message !== undefined && to.length === 0) throw new UsageError('--message needs --to');
  if (clientCertificate !== undefined && tls === false)
    throw new UsageError('--client-certificate: is shown on TLS only, which --no-tls leaves out');
  assertSayable(options);
}
