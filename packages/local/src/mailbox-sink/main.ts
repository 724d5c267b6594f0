/**
 * The mailbox sink as a process: `node main.js --dir DIR --smtp PORT --http PORT [--host ADDRESS]`, on loopback unless another
 * address is given. Ends on SIGTERM after the messages in flight are stored.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { createHttpFront } from './http-front.js';
import { MessageStore } from './message-store.js';
import { createSmtpFront } from './smtp-front.js';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    smtp: { type: 'string' },
    http: { type: 'string' },
  },
});
const { dir, host } = values;
const [smtpPort, httpPort] = [Number(values.smtp), Number(values.http)];
if (dir === undefined || !(smtpPort > 0) || !(httpPort > 0)) {
  process.stderr.write('usage: main.js --dir DIR --smtp PORT --http PORT [--host ADDRESS]\n');
  process.exit(2);
}

const store = new MessageStore(dir, createUlidSource(systemClock, systemRandom), () => systemClock.now());
await store.open();
const smtp = createSmtpFront(store, (line) => process.stderr.write(`${line}\n`));
const http = createHttpFront(store);
smtp.listen(smtpPort, host);
// Ready is what the HTTP side says, so it opens last.
await once(smtp.server, 'listening');
http.listen(httpPort, host);

process.once('SIGTERM', () => {
  http.close();
  http.closeAllConnections();
  smtp.close(() => process.exit(0));
});
