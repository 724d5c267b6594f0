/** A digest thread: hashes the bodies it is told of, several at a time, in the order their chunks come. Knows nothing of messages, keys or DNS. */
import { parentPort } from 'node:worker_threads';
import { OwnDigests } from '@postern/mail-auth';
import type { FromThread, ToThread } from './digest-messages.js';

const bodies = new Map<number, OwnDigests>();
const tell = (message: FromThread): void => parentPort?.postMessage(message);

parentPort?.on('message', (message: ToThread) => {
  const { body } = message;
  switch (message.kind) {
    case 'start': {
      const digests = new OwnDigests();
      for (const form of message.forms) digests.want(form);
      bodies.set(body, digests);
      return;
    }
    case 'chunk':
      bodies.get(body)?.update(message.octets);
      tell({ kind: 'taken', body, bytes: message.octets.length });
      return;
    case 'end':
      tell({ kind: 'digests', body, digests: bodies.get(body)?.finish() ?? new Map() });
      bodies.delete(body);
      return;
    case 'drop':
      bodies.delete(body);
  }
});
