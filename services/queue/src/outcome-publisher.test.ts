/** However much is to be recorded at once, no message of OUTCOMES becomes too large for the stream, and what begins a queue id stays together. Real NATS. */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { Disposition, HeaderEdit } from '@postern/proto/mail/v1/envelope';
import { type Outcome, OutcomeBatch, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { connectStreams, createLeftoverReader, createPublisher, ensureStreams } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';
import { createOutcomePublisher } from './outcome-publisher.js';
import { placementOf } from './placement.js';
import { compilePolicy } from './policy-in-use.js';
import { envelope, forwardPath, testSnapshot } from './testing/messages.js';

const nats = withNats();
const policy = compilePolicy(testSnapshot());

/** One mail to so many domains, all of it held, with so many octets of fields to add. */
function heldMail(domains: number, edited: number): Outcome[] {
  const paths = Array.from({ length: domains }, (_, index) =>
    forwardPath(`someone@customer-${index}.example.test`, { tenant: 'acme', disposition: Disposition.HOLD }),
  );
  const edits = [HeaderEdit.fromPartial({ kind: 1, name: 'X-Report', value: 'x'.repeat(edited) })];
  const mail = envelope(paths, { renderings: [{ edits, replacedBodyId: '', tags: [] }] });
  return placementOf(mail, { policy, nowMs: 0, quarantineKeepMs: 1, admit: () => true }).outcomes;
}

test.each([
  { mails: 1, domains: 1_000, edited: 1_000 },
  { mails: 150, domains: 1, edited: 12_000 },
  { mails: 64, domains: 1, edited: 100 },
])(
  '$mails mails to $domains domains each',
  async ({ mails, domains, edited }) => {
    const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
    await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
    const reader = await createLeftoverReader(connection);
    const publisher = createPublisher(connection, systemClock);
    const newId = createUlidSource(systemClock, systemRandom);
    const outcomes = createOutcomePublisher({ publisher, newId, clock: systemClock, lingerMs: 20 });
    const made = Array.from({ length: mails }, () => heldMail(domains, edited));
    const results = await Promise.all(made.map((one) => outcomes.publish(one)));
    expect(results.filter(({ done }) => !done)).toEqual([]);
    const stored = await reader.oldest('OUTCOMES', Number.POSITIVE_INFINITY, 200);
    const read = stored.map(({ data }) => OutcomeBatch.decode(data).outcomes);
    const byKey = (a: string, b: string): number => (a < b ? -1 : 1);
    const keys = (list: readonly Outcome[]): string[] =>
      list.flatMap(({ kind, queueId, recipients }) => recipients.map(({ address }) => `${kind} ${queueId} ${address}`));
    expect(keys(read.flat()).sort(byKey)).toEqual(keys(made.flat()).sort(byKey));
    const began = read.flatMap((list) => [
      ...new Set(list.filter(({ kind }) => kind === OutcomeKind.ACCEPTED).map(({ queueId }) => queueId)),
    ]);
    expect(began).toHaveLength(mails);
    if (mails * domains * edited < 100_000) expect(stored).toHaveLength(1);
    for (const { sequence } of stored) await reader.remove('OUTCOMES', sequence);
    await connection.close();
  },
  90_000,
);
