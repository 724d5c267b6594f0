/** A next hop with a fixed port that a test may close and open again, keeping what it took. */
import { freePort } from '@postern/local';
import { type SmtpSink, type SunkMessage, startSmtpSink, type TlsOptions } from '@postern/testkit/smtp';

export interface NextHopServer {
  readonly port: number;
  readonly messages: SunkMessage[];
  open(): Promise<void>;
  close(): Promise<void>;
  /** Messages with this Message-ID or text in the header section. */
  having(text: string): SunkMessage[];
}

/** `extensions`: those it offers in place of the usual ones; `tls`: offers STARTTLS. */
export async function reserveNextHop(extensions?: readonly string[], tls?: TlsOptions): Promise<NextHopServer> {
  const port = await freePort();
  const messages: SunkMessage[] = [];
  let sink: SmtpSink | undefined;
  return {
    port,
    messages,
    async open() {
      sink ??= await startSmtpSink({
        port,
        keep: false,
        onMessage: (message) => messages.push(message),
        ...(extensions === undefined ? {} : { extensions }),
        ...(tls === undefined ? {} : { tls }),
      });
    },
    async close() {
      await sink?.close();
      sink = undefined;
    },
    having: (text) => messages.filter(({ data }) => data.includes(text)),
  };
}
