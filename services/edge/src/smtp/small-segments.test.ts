/**
 * A client that sends every octet in a segment of its own costs the memory of its octets, not of its segments: in a message, in a chunk, in a command,
 * and while a command is in work, plain and TLS. The spool is the real one over a body store that keeps nothing.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { BodyStore } from '@postern/body-store';
import { RawClient } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { createNatsSpool } from '../nats-spool.js';
import type { SessionServices } from '../session.js';
import { acceptAll, Doubles } from '../testing/doubles.js';
import { withFront } from '../testing/front.js';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const front = withFront();
const clients = 8;
const octets = 6_000;
/** Octets for each client beside its own; segments kept cost some 400 times themselves, 2.4 MB here. */
const mostEach = 300_000;

async function memory(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await turn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

class WithSpool extends Doubles {
  override services(...settings: Parameters<Doubles['services']>): SessionServices {
    const bodies: Pick<BodyStore, 'write'> = {
      write: () => ({ write: async () => undefined, finish: async () => undefined, abort: () => undefined, size: 0 }),
    };
    const commits = { store: async () => ({ kind: 'stored', sequence: 1, duplicate: false }) as const };
    const spool = createNatsSpool({
      bodies,
      commits,
      inlineLimit: 128 * 1024,
      onCommitted: () => undefined,
      now: () => 0,
    });
    return { ...super.services(...settings), spool };
  }
}

const transaction = ['EHLO c.test', 'MAIL FROM:<a@sender.test>', 'RCPT TO:<bob@example.test>'];

test.each<[string, 'mx' | 'submissions', readonly string[], string]>([
  ['a message by DATA', 'mx', [...transaction, 'DATA'], 'x'.repeat(70).concat('\r\n').repeat(octets).slice(0, octets)],
  ['a message by BDAT', 'mx', transaction, `BDAT 100000 LAST\r\n${'x'.repeat(octets)}`],
  ['a command', 'mx', ['EHLO c.test'], `AUTH PLAIN ${'A'.repeat(octets)}`],
  [
    'what comes while a command is in work',
    'mx',
    [...transaction.slice(0, 2)],
    `RCPT TO:<slow@example.test>\r\n${'x'.repeat(octets)}`,
  ],
  [
    'what comes in TLS while a command is in work',
    'submissions',
    transaction.slice(0, 1),
    `AUTH PLAIN AGEAYg==\r\n${'x'.repeat(octets)}`,
  ],
])('%s', { timeout: 60_000 }, async (_name, role, lines, sent) => {
  const doubles = new WithSpool();
  const never = new Promise<never>(() => undefined);
  doubles.evaluate = (request) =>
    request.facts?.recipients.some(({ address }) => address.startsWith('slow')) === true ? never : acceptAll(request);
  doubles.verify = () => never;
  const listener = await front.start(doubles, { name: role, role });
  const open: RawClient[] = [];
  for (let left = clients; left > 0; left--) {
    const client = await RawClient.open(listener.port, role === 'submissions');
    expect(await client.reply()).toMatch(/^220 /);
    for (const line of lines) expect(await client.command(line)).toMatch(/^[23]/);
    open.push(client);
  }
  const before = await memory();
  for (const octet of Buffer.from(sent)) {
    for (const client of open) client.send(Buffer.of(octet));
    await turn();
  }
  await vi.waitFor(async () => expect((await memory()) - before).toBeLessThan(clients * mostEach), 5_000);
  expect(listener.sessions).toBe(clients);
  for (const client of open) client.destroy();
});
