/** Messages for tests and loads: numbered, of a wanted size, with CRLF line ends. */

export interface MessageOptions {
  readonly from: string;
  readonly to: string;
  readonly subject?: string;
  readonly id?: string;
  /** Whole size in bytes, roughly; default small. */
  readonly size?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const line = `${'The quick brown fox jumps over the lazy dog and comes back again. '.repeat(2).slice(0, 76)}\r\n`;

export function buildMessage(options: MessageOptions): Buffer {
  const head = [
    `From: <${options.from}>`,
    `To: <${options.to}>`,
    `Subject: ${options.subject ?? 'test'}`,
    `Message-ID: <${options.id ?? 'test'}@client.test>`,
    'Date: Sat, 21 Nov 2026 03:00:00 +0000',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    ...Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n');
  const room = Math.max(0, (options.size ?? 0) - head.length - 4);
  return Buffer.from(`${head}\r\n\r\n${line.repeat(Math.max(1, Math.ceil(room / line.length)))}`, 'utf8');
}
