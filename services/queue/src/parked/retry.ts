/**
 * Puts a parked message back where it came from, with the tries of a new one. Order: trace, publish, removal from PARKED, commit; a crash between leaves it
 * in both, and the second retry finds its Msg-Id known or its attempt recorded. It says `Postern-Again`: delivery looks for its done mark first.
 * Invariant: what has ended or was tried again otherwise is refused.
 */
import { PosternError } from '@postern/errors';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import { outcomesSubject, spoolSubject, workSubject } from '@postern/stream';
import { groupNumber, itemId } from '../item-id.js';
import type { Transaction } from '../store/database.js';
import { openAddresses, wasPlaced } from './fence.js';
import { type Parked, type ParkedUnit, unitsOf } from './message.js';
import { noteParked, type ParkedOrder, type ParkedParts } from './parts.js';

/** A publish inside a transaction may not hold it long. */
const publishDeadlineMs = 5_000;

interface Return {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly units: readonly ParkedUnit[];
}

export async function retryParked(
  { shelf, publisher }: ParkedParts,
  scope: string,
  order: ParkedOrder,
  nowMs: number,
): Promise<{ readonly stream: string; readonly recipients: number }> {
  return shelf.alone(scope, order.id, async (transaction, parked) => {
    const { subject, data, units } = await returnOf(transaction, parked);
    await noteParked(transaction, 'retry', order, parked, units, nowMs);
    const result = await publisher.publish(subject, data, {
      msgId: `unparked:${parked.id}`,
      deadlineMs: publishDeadlineMs,
      headers: { 'Postern-Again': 'parked' },
    });
    if (result.kind !== 'stored')
      throw new PosternError('store-unavailable', `the stream ${parked.stream} did not take it: ${result.reason}`);
    await shelf.remove(parked);
    return { stream: parked.stream, recipients: units.length };
  });
}

async function returnOf(transaction: Transaction, parked: Parked): Promise<Return> {
  const { content } = parked;
  const refuse = (why: string): never => {
    throw new PosternError('failed-precondition', `${why}; drop it`);
  };
  if (content.kind === 'unreadable') return refuse(`it cannot be read: ${content.why}`);
  if (content.kind === 'outcomes')
    return {
      subject: outcomesSubject('queue'),
      data: OutcomeBatch.encode({ outcomes: [...content.outcomes] }).finish(),
      units: unitsOf(content),
    };
  if (content.kind === 'envelope') {
    const { envelope } = content;
    if (await wasPlaced(transaction, envelope.queueId))
      return refuse('its recipients were queued before it was parked');
    return {
      subject: spoolSubject(envelope.queueId),
      data: Envelope.encode(envelope).finish(),
      units: unitsOf(content),
    };
  }
  const { item } = content;
  const { open } = await openAddresses(transaction, item);
  if (open.size === 0) return refuse('its recipients have ended or were tried again since');
  return {
    subject: workSubject(item.route?.egressPool ?? 'default', item.queueId),
    data: Item.encode(onlyOpen(item, open)).finish(),
    units: unitsOf(content).filter(({ recipient }) => open.has(recipient)),
  };
}

/** An item of other recipients is another item. */
function onlyOpen(item: Item, open: ReadonlySet<string>): Item {
  const recipients = item.recipients.filter(({ address }) => open.has(address));
  if (recipients.length === item.recipients.length) return item;
  const group = groupNumber([item.itemId, ...recipients.map(({ address }) => address)]);
  return { ...item, recipients, group, itemId: itemId(item.queueId, group, item.attempt) };
}
