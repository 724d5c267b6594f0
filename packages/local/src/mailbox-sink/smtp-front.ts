/**
 * The SMTP side of the mailbox sink: takes any recipient, answers 250 only after the message is stored. It is a next hop on
 * loopback for a local cluster, not a mail server: no TLS, no AUTH, no limits of its own but the size.
 */
import type { Readable } from 'node:stream';
import { SMTPServer } from 'smtp-server';
import type { MessageStore } from './message-store.js';

const largestMessage = 200 * 1024 * 1024;

function failure(text: string, responseCode: number): Error {
  return Object.assign(new Error(text), { responseCode });
}

export function createSmtpFront(store: MessageStore, report: (line: string) => void): SMTPServer {
  const server: SMTPServer = new SMTPServer({
    name: 'mailbox.localhost',
    banner: 'Postern mailbox sink',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: largestMessage,
    closeTimeout: 5_000,
    maxClients: 2_000,
    logger: false,
    onData: (stream, session, done) => {
      const body: Readable & { readonly sizeExceeded?: boolean } = stream;
      const message = {
        refused: () => body.sizeExceeded === true,
        reversePath: session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address,
        forwardPaths: session.envelope.rcptTo.map((recipient) => recipient.address),
        clientAddress: session.remoteAddress,
        helo: session.hostNameAppearsAs || '',
      };
      store.store(message, body).then(
        (ids) => {
          if (message.refused()) done(failure('5.3.4 message too large for the mailbox sink', 552));
          else done(null, `2.0.0 stored as ${ids.join(' ')}`);
        },
        (error: unknown) => {
          report(`not stored: ${error instanceof Error ? error.message : String(error)}`);
          // A local fault is never the sender's: ask again later.
          stream.resume();
          done(failure('4.3.0 cannot store now', 451));
        },
      );
    },
  });
  server.on('error', (error: Error) => report(`connection: ${error.message}`));
  return server;
}
