/**
 * Ends a parked message. What it names and has not ended otherwise is closed in the ledger as `deleted`, or as `bounced` with a DSN to a sender known to be
 * the sender; an envelope is recorded as accepted first, since nothing did before. Order: one transaction, then the removal from PARKED; a crash
 * between leaves a message of which all has ended, and dropping it again only removes it.
 */
import { PosternError } from '@postern/errors';
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import { expand } from '../expand.js';
import { planItems } from '../items.js';
import { countUnreported, decideNotice, type NoticeDecision } from '../notice.js';
import { createdOutcomes } from '../placement.js';
import { storeBody } from '../placer.js';
import type { Transaction } from '../store/database.js';
import { lockRecipients, unitKey } from '../store/recipients.js';
import { printable } from '../unit-change.js';
import { openAddresses, wasPlaced } from './fence.js';
import type { Parked, ParkedUnit } from './message.js';
import { longestReason, noteParked, type ParkedOrder, type ParkedParts } from './parts.js';

export interface DropOrder extends ParkedOrder {
  readonly bounce: boolean;
}

interface End {
  readonly kind: OutcomeKind.DELETED | OutcomeKind.BOUNCED;
  readonly text: string;
  readonly nowMs: number;
}

interface Ending {
  readonly outcomes: readonly Outcome[];
  readonly units: readonly ParkedUnit[];
}

const nothing: Ending = { outcomes: [], units: [] };

export async function dropParked(
  parts: ParkedParts,
  scope: string,
  order: DropOrder,
  nowMs: number,
): Promise<{ readonly stream: string; readonly recipients: number; readonly unreported: Record<string, number> }> {
  const text = printable(order.reason).slice(0, longestReason);
  if (text === '') throw new PosternError('invalid-argument', 'reason: must be given; it is what the ledger keeps');
  const end: End = { kind: order.bounce ? OutcomeKind.BOUNCED : OutcomeKind.DELETED, text, nowMs };
  const { parked, ending, settled } = await parts.shelf.alone(scope, order.id, async (transaction, found) => {
    const made = await endingOf(parts, transaction, found, end);
    const done = made.outcomes.length === 0 ? undefined : await parts.settle(transaction, made.outcomes);
    await noteParked(transaction, order.bounce ? 'bounce' : 'delete', order, found, made.units, nowMs);
    return { parked: found, ending: made, settled: done };
  });
  if (settled !== undefined) parts.onSettled(ending.outcomes, settled);
  await parts.shelf.remove(parked);
  const decisions = order.bounce ? ending.outcomes.flatMap(noticesOf) : [];
  return { stream: parked.stream, recipients: ending.units.length, unreported: countUnreported(decisions) };
}

/** What the settled outcome comes to; its creation is none of it. */
const noticesOf = ({ kind, item, recipients }: Outcome): NoticeDecision[] =>
  kind === OutcomeKind.BOUNCED ? recipients.map(({ address }) => decideNotice('failure', item, address)) : [];

async function endingOf(
  parts: ParkedParts,
  transaction: Transaction,
  { content, parkedAtMs }: Parked,
  end: End,
): Promise<Ending> {
  if (content.kind === 'unreadable') return nothing;
  if (content.kind === 'outcomes') return endOutcomes(transaction, content.outcomes, end);
  if (content.kind === 'item') return endItem(parts, transaction, content.item, parkedAtMs, end);
  return (await wasPlaced(transaction, content.envelope.queueId)) ? nothing : endEnvelope(parts, content.envelope, end);
}

type Ended = Pick<Outcome, 'queueId' | 'tenant' | 'attempt' | 'item'>;

const endedAs = (end: End, { queueId, tenant, attempt, item }: Ended, addresses: readonly string[]): Outcome =>
  Outcome.fromPartial({
    kind: end.kind,
    queueId,
    tenant,
    attempt,
    atMs: end.nowMs,
    recipients: addresses.map((address) =>
      RecipientResult.fromPartial({
        address,
        enhancedCode: end.kind === OutcomeKind.BOUNCED ? '5.3.0' : '',
        replyText: end.text,
      }),
    ),
    ...(item === undefined ? {} : { item }),
  });

const endedItem = (end: End, item: Item, addresses: readonly string[]): Outcome =>
  endedAs(end, { queueId: item.queueId, tenant: item.tenant, attempt: item.attempt, item }, addresses);

/** Nobody has taken it up: nothing is expanded, every recipient is created and closed. */
async function endEnvelope(parts: ParkedParts, envelope: Envelope, end: End): Promise<Ending> {
  const place = envelope.body?.place;
  const isStored = place?.$case === 'bodyId' || end.kind === OutcomeKind.BOUNCED;
  if (isStored) {
    const step = await storeBody(parts.bodies, envelope);
    if (!step.done) throw new PosternError('store-unavailable', `the body could not be kept: ${step.reason}`);
  }
  const spooledId = place?.$case === 'bodyId' ? place.value : envelope.queueId;
  const replaced = envelope.renderings.flatMap(({ replacedBodyId }) => (replacedBodyId === '' ? [] : [replacedBodyId]));
  const plain = { ...envelope, forwardPaths: envelope.forwardPaths.map((path) => ({ ...path, expandsTo: [] })) };
  const units = expand(plain, () => undefined);
  const planned = planItems(
    plain,
    units.map((unit) => ({ unit, to: { reason: end.text } })),
    {
      expiresAtMs: envelope.acceptedAtMs + parts.lifetimeMs,
      mayNotify: envelope.senderAuthenticated || envelope.submittingTenant !== '',
      attempt: 0,
      withOrigin: false,
    },
  );
  return {
    units: units.map(({ address, tenant }) => ({ queueId: envelope.queueId, recipient: address, tenant })),
    outcomes: [
      ...createdOutcomes(envelope, units, isStored ? [spooledId, ...replaced] : replaced, end.nowMs, []),
      ...planned.map(({ item, units: members }) =>
        endedItem(
          end,
          isStored ? withStored(item, spooledId) : item,
          members.map(({ address }) => address),
        ),
      ),
    ],
  };
}

const withStored = (item: Item, bodyId: string): Item => ({
  ...item,
  body: { place: { $case: 'bodyId', value: bodyId } },
});

/** Creation of what is not recorded after this time will not come. */
const longestUnknownMs = 600_000;

async function endItem(
  parts: ParkedParts,
  transaction: Transaction,
  item: Item,
  parkedAtMs: number,
  end: End,
): Promise<Ending> {
  const found = await openAddresses(transaction, item);
  if (found.unknown.size > 0 && end.nowMs - parkedAtMs < longestUnknownMs)
    throw new PosternError('failed-precondition', 'its recipients are not in the ledger yet; try again in ten minutes');
  const open = [...found.open].filter((address) => !found.unknown.has(address));
  if (open.length === 0) return nothing;
  const place = item.body?.place;
  let kept: Item = item;
  if (place?.$case === 'inline' && end.kind === OutcomeKind.BOUNCED) {
    kept = withStored(item, item.queueId);
    await parts.bodies.put(item.queueId, place.value, Item.encode({ ...kept, attempt: 0 }).finish());
  } else if (place?.$case === 'inline') kept = { ...item, body: undefined };
  return {
    units: open.map((recipient) => ({ queueId: item.queueId, recipient, tenant: item.tenant })),
    outcomes: [endedItem(end, kept, open)],
  };
}

/** Outcomes that say what an attempt came to have left nothing behind that carries their recipients: what is open of these ends. The others carry nothing. */
async function endOutcomes(transaction: Transaction, outcomes: readonly Outcome[], end: End): Promise<Ending> {
  const after = outcomes.filter(({ attempt }) => attempt > 0);
  const keys = after.flatMap(({ queueId, recipients }) =>
    recipients.map(({ address }) => ({ queueId, recipient: address })),
  );
  const known = await lockRecipients(transaction, keys);
  const made: Ending[] = after.map(({ queueId, tenant, attempt, item, recipients }) => {
    const open = recipients.flatMap(({ address }) => {
      const unit = known.get(unitKey(queueId, address));
      return unit !== undefined && unit.state === 'open' && unit.tenant === tenant && unit.attempts < attempt
        ? [address]
        : [];
    });
    if (open.length === 0) return nothing;
    return {
      units: open.map((recipient) => ({ queueId, recipient, tenant })),
      outcomes: [endedAs(end, { queueId, tenant, attempt, item }, open)],
    };
  });
  return { units: made.flatMap(({ units }) => units), outcomes: made.flatMap((one) => one.outcomes) };
}
