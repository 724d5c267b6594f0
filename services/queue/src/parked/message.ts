/**
 * A message of PARKED as an operator may look at it: what it is, why and since when it is there, and the ledger units it names. Its content is
 * decoded but never shown. The id holds the time besides the sequence, so that it can never mean another message. Pure.
 */

import type { Body, Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import type { StoredMessage } from '@postern/stream';
import { readEnvelope } from '../read-envelope.js';
import { printable } from '../unit-change.js';

export type ParkedContent =
  | { readonly kind: 'envelope'; readonly envelope: Envelope }
  | { readonly kind: 'item'; readonly item: Item }
  | { readonly kind: 'outcomes'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'unreadable'; readonly why: string };

export interface Parked {
  readonly id: string;
  readonly sequence: number;
  /** Where it came from: spool, work, outcomes. */
  readonly stream: string;
  readonly reason: string;
  readonly parkedAtMs: number;
  readonly content: ParkedContent;
}

/** One ledger unit it names. */
export interface ParkedUnit {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
}

const longestReason = 300;

export const parkedId = (sequence: number, storedAtMs: number): string => `${sequence}-${storedAtMs.toString(36)}`;

/** Sequence in PARKED; undefined = not one of our ids. */
export function sequenceOf(id: string): number | undefined {
  const [, digits] = /^([1-9]\d{0,14})-[0-9a-z]{1,10}$/.exec(id) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

export function readParked(message: StoredMessage): Parked {
  const stream = message.subject.slice(message.subject.indexOf('.') + 1);
  return {
    id: parkedId(message.sequence, message.storedAtMs),
    sequence: message.sequence,
    stream,
    reason: printable(message.header('Postern-Reason')).slice(0, longestReason),
    parkedAtMs: message.storedAtMs,
    content: contentOf(stream, message.data),
  };
}

export function contentOf(stream: string, data: Uint8Array): ParkedContent {
  try {
    if (stream === 'spool') {
      const read = readEnvelope(data);
      return 'envelope' in read ? { kind: 'envelope', ...read } : { kind: 'unreadable', why: read.reason };
    }
    if (stream === 'work') return itemContent(Item.decode(data));
    if (stream === 'outcomes') return { kind: 'outcomes', outcomes: OutcomeBatch.decode(data).outcomes };
    return { kind: 'unreadable', why: 'not from a stream this version knows' };
  } catch (error) {
    return { kind: 'unreadable', why: printable(error instanceof Error ? error.message : String(error)) };
  }
}

function itemContent(item: Item): ParkedContent {
  const { queueId, tenant, recipients, route } = item;
  if (queueId === '' || tenant === '' || route === undefined || recipients.length === 0)
    return { kind: 'unreadable', why: 'an item without queue id, tenant, route or recipients' };
  return { kind: 'item', item };
}

export function unitsOf(content: ParkedContent): ParkedUnit[] {
  if (content.kind === 'unreadable') return [];
  if (content.kind === 'envelope') {
    const { queueId, forwardPaths } = content.envelope;
    return forwardPaths.map(({ address, tenant }) => ({ queueId, recipient: address, tenant }));
  }
  if (content.kind === 'item') {
    const { queueId, tenant, recipients } = content.item;
    return recipients.map(({ address }) => ({ queueId, recipient: address, tenant }));
  }
  return content.outcomes.flatMap(({ queueId, tenant, recipients }) =>
    recipients.map(({ address }) => ({ queueId, recipient: address, tenant })),
  );
}

/** Ids of bodies it cannot go on without. */
export function bodiesOf(content: ParkedContent): string[] {
  if (content.kind === 'unreadable') return [];
  if (content.kind === 'outcomes')
    return content.outcomes.flatMap(({ item, accepted }) => [...bodyOf(item?.body), ...(accepted?.bodyIds ?? [])]);
  const { body, renderings } =
    content.kind === 'envelope'
      ? content.envelope
      : { body: content.item.body, renderings: content.item.rendering === undefined ? [] : [content.item.rendering] };
  return [...bodyOf(body), ...renderings.map(({ replacedBodyId }) => replacedBodyId)].filter((id) => id !== '');
}

const bodyOf = (body: Body | undefined): string[] => (body?.place?.$case === 'bodyId' ? [body.place.value] : []);

/** A tenant sees what is its own alone; what cannot be read, or names several, is the operator's. */
export function isVisible({ content }: Parked, isTenant: (tenant: string) => boolean, everything: boolean): boolean {
  if (everything) return true;
  const units = unitsOf(content);
  return units.length > 0 && units.every(({ tenant }) => isTenant(tenant));
}
