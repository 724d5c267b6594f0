/** What a server offered in its EHLO or LHLO reply. RFC 5321 §4.1.1.1; unknown keywords are ignored. */

export interface Capabilities {
  readonly startTls: boolean;
  readonly pipelining: boolean;
  readonly eightBitMime: boolean;
  readonly smtputf8: boolean;
  readonly dsn: boolean;
  readonly requireTls: boolean;
  readonly chunking: boolean;
  readonly binaryMime: boolean;
  /** SIZE offered. `sizeLimit` null = no fixed limit (RFC 1870 §4). */
  readonly size: boolean;
  readonly sizeLimit: number | null;
  /** Upper case. */
  readonly authMechanisms: readonly string[];
  /** RFC 9422, or null. */
  readonly maxRecipients: number | null;
  readonly maxTransactions: number | null;
}

function positive(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) && Number(text) > 0 ? Number(text) : null;
}

/** `lines` of the reply, the first being the server's name. A HELO reply offers nothing: give []. */
export function readCapabilities(lines: readonly string[]): Capabilities {
  const offered = new Map<string, readonly string[]>();
  for (const line of lines.slice(1)) {
    // `AUTH=LOGIN` of servers older than RFC 2554
    const [keyword = '', ...words] = line
      .trim()
      .replace(/^AUTH=/i, 'AUTH ')
      .split(/ +/);
    const key = keyword.toUpperCase();
    offered.set(key, [...(offered.get(key) ?? []), ...words]);
  }
  const limits = new Map(
    (offered.get('LIMITS') ?? []).map((word): [string, string] => {
      const [name = '', value = ''] = word.split('=', 2);
      return [name.toUpperCase(), value];
    }),
  );
  return {
    startTls: offered.has('STARTTLS'),
    pipelining: offered.has('PIPELINING'),
    eightBitMime: offered.has('8BITMIME'),
    smtputf8: offered.has('SMTPUTF8'),
    dsn: offered.has('DSN'),
    requireTls: offered.has('REQUIRETLS'),
    chunking: offered.has('CHUNKING'),
    binaryMime: offered.has('BINARYMIME'),
    size: offered.has('SIZE'),
    sizeLimit: positive(offered.get('SIZE')?.[0]),
    authMechanisms: [...new Set((offered.get('AUTH') ?? []).map((word) => word.toUpperCase()))],
    maxRecipients: positive(limits.get('RCPTMAX')),
    maxTransactions: positive(limits.get('MAILMAX')),
  };
}
