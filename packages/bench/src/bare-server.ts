/** The bare library as a process of its own: smtp-server that drains each message and answers 250. `--starttls` offers STARTTLS with the
 * certificate it brings. Prints its port. Not Postern code. */
import { SMTPServer } from 'smtp-server';

const offersTls = process.argv.includes('--starttls');
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: offersTls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  hideSTARTTLS: !offersTls,
  // Idle connections of the memory bench stay longer than the minute the library gives them.
  socketTimeout: 600_000,
  logger: false,
  onData(stream, _session, done) {
    stream.on('end', () => done());
    stream.resume();
  },
});
const listening = server.listen(0, '127.0.0.1', () => {
  const address = listening.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
