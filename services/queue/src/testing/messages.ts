/** Messages, snapshots and answers for tests of this service. */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { Disposition, Envelope, type ForwardPath } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';

export const newQueueId = createUlidSource(systemClock, systemRandom);

export const testSnapshot = (changes: Partial<Snapshot> = {}): Snapshot => ({
  ...Snapshot.fromPartial({
    version: 1,
    readerVersion: 1,
    hostname: 'mx.test',
    domains: [
      { name: 'acme.test', tenant: 'acme', nextHop: 'main' },
      { name: 'beta.test', tenant: 'beta', nextHop: 'main' },
    ],
    tenants: [
      { name: 'acme', state: 'active', weight: 1 },
      { name: 'beta', state: 'active', weight: 1 },
    ],
    nextHops: [
      { name: 'main', hosts: [{ host: '127.0.0.1', port: 2600 }] },
      { name: 'mailbox', hosts: [{ host: '127.0.0.1', port: 2601 }] },
    ],
    defaultNextHop: 'mailbox',
  }),
  ...changes,
});

export const forwardPath = (address: string, changes: Partial<ForwardPath> = {}): ForwardPath => ({
  address,
  tenant: address.split('@')[1]?.split('.')[0] ?? 'system',
  recipientClass: 1,
  notify: [],
  originalRecipient: '',
  rendering: 0,
  disposition: Disposition.DELIVER,
  expandsTo: [],
  ...changes,
});

export const envelope = (recipients: readonly (string | ForwardPath)[], changes: Partial<Envelope> = {}): Envelope => ({
  ...Envelope.fromPartial({
    queueId: newQueueId(),
    sessionId: newQueueId(),
    acceptedAtMs: systemClock.now(),
    reversePath: 'alice@example.test',
    forwardPaths: recipients.map((recipient) => (typeof recipient === 'string' ? forwardPath(recipient) : recipient)),
    renderings: [{}],
    size: 30,
    body: { place: { $case: 'inline', value: Buffer.from('Subject: hello\r\n\r\nhow are you\r\n') } },
    senderAuthenticated: true,
  }),
  ...changes,
});

/** What delivery would say of an item. */
export const answer = (item: Item, kind: OutcomeKind, reply: Partial<RecipientResult> = {}): Outcome =>
  Outcome.fromPartial({
    kind,
    queueId: item.queueId,
    tenant: item.tenant,
    attempt: item.attempt,
    atMs: systemClock.now(),
    recipients: item.recipients.map(({ address }) => RecipientResult.fromPartial({ address, ...reply })),
    ...(kind === OutcomeKind.DELIVERED
      ? {}
      : { item: { ...item, body: { place: { $case: 'bodyId', value: item.queueId } } } }),
  });
