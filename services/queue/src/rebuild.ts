/**
 * Rows anew from BODIES, for a database that was lost or set back: every finished body carries the envelope or the item it belongs to. Only messages
 * the database knows nothing of, that WORK does not carry and that are older than what may still be in SPOOL or OUTCOMES. The stated price
 * (design.md, State): recipients already served of a message that still waits may be served twice. Mail that was held or in quarantine comes
 * back as such, since the envelope says so. Idempotent: what it has rebuilt is known the next time.
 */
import type { BodyStore } from '@postern/body-store';
import { type Clock, ulidTime } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item, UnitKind } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import { placementOf } from './placement.js';
import type { PolicyInUse } from './policy-in-use.js';
import type { Settled } from './settle.js';
import type { Database, Statement, Transaction } from './store/database.js';
import type { WorkScanner } from './work-scan.js';

export interface RebuildParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly bodies: BodyStore;
  readonly scan: WorkScanner;
  readonly policy: PolicyInUse;
  readonly quarantineKeepMs: number;
  readonly settle: (transaction: Transaction, outcomes: readonly Outcome[]) => Promise<Settled>;
}

export interface Rebuilt {
  readonly bodies: number;
  readonly known: number;
  readonly carried: number;
  readonly recent: number;
  readonly unreadable: readonly string[];
  readonly messages: number;
  readonly recipients: number;
}

const youngMs = 600_000;
const scanLimit = 100_000;
const page = 200;
/** Item ids of rebuilt rows must differ from those used before, which the dedup window of WORK may still hold. */
const groupSalt = 0x5eb111d;

const known: Statement = {
  name: 'rebuild-known',
  text: `SELECT DISTINCT queue_id FROM mail.recipients WHERE queue_id = ANY ($1::text[])`,
};

export async function rebuild(parts: RebuildParts): Promise<Rebuilt> {
  const scan = await parts.scan(scanLimit);
  if (!scan.exact) throw new RangeError(`WORK holds more than ${scanLimit} messages: let delivery work them off first`);
  const carriedIds = new Set(scan.units.map(({ queueId }) => queueId));
  const counts = { bodies: 0, known: 0, carried: 0, recent: 0, messages: 0, recipients: 0 };
  const unreadable: string[] = [];
  const work = async (ids: readonly string[]): Promise<void> => {
    const present = await parts.database.service(async (transaction) =>
      (await transaction.query<{ queue_id: string }>(known, [ids])).map(({ queue_id }) => queue_id),
    );
    for (const bodyId of ids) {
      if (present.includes(bodyId)) counts.known++;
      else if (carriedIds.has(bodyId)) counts.carried++;
      else if (parts.clock.now() - (ulidTime(bodyId) ?? 0) < youngMs) counts.recent++;
      else {
        const outcomes = await outcomesOf(parts, bodyId);
        if (outcomes === undefined) unreadable.push(bodyId);
        else {
          await parts.database.service((transaction) => parts.settle(transaction, outcomes));
          counts.messages++;
          counts.recipients += outcomes
            .filter(({ unitKind }) => unitKind !== UnitKind.UNSPECIFIED)
            .reduce((sum, { recipients }) => sum + recipients.length, 0);
        }
      }
    }
  };
  let ids: string[] = [];
  for await (const { bodyId, finished } of parts.bodies.list()) {
    if (!finished) continue;
    counts.bodies++;
    ids.push(bodyId);
    if (ids.length < page) continue;
    await work(ids);
    ids = [];
  }
  await work(ids);
  return { ...counts, unreadable };
}

/** What the message would have made at intake, with nothing started: everything waits. */
async function outcomesOf(parts: RebuildParts, bodyId: string): Promise<Outcome[] | undefined> {
  const facts = await parts.bodies.stat(bodyId);
  if (facts === undefined) return undefined;
  const kept = readKept(facts.envelope);
  if (kept === undefined) return undefined;
  const nowMs = parts.clock.now();
  if (kept.kind === 'item') return itemOutcomes(kept.item, bodyId, nowMs);
  const envelope: Envelope = { ...kept.envelope, body: { place: { $case: 'bodyId', value: bodyId } } };
  const { outcomes } = placementOf(envelope, {
    policy: parts.policy,
    nowMs,
    quarantineKeepMs: parts.quarantineKeepMs,
    admit: () => false,
  });
  return outcomes.map((outcome) => (outcome.item === undefined ? outcome : { ...outcome, item: salted(outcome.item) }));
}

const salted = (item: Item): Item => ({ ...item, group: (item.group ^ groupSalt) >>> 0 });

type Kept = { readonly kind: 'envelope'; readonly envelope: Envelope } | { readonly kind: 'item'; readonly item: Item };

/** The first field of both is a text: an item id has colons, a queue id has none. */
function readKept(bytes: Uint8Array): Kept | undefined {
  try {
    const item = Item.decode(bytes);
    if (item.itemId.includes(':') && item.recipients.length > 0 && item.tenant !== '') return { kind: 'item', item };
  } catch {
    // Not an item: it may be an envelope.
  }
  try {
    const envelope = Envelope.decode(bytes);
    return envelope.queueId !== '' && envelope.forwardPaths.length > 0 ? { kind: 'envelope', envelope } : undefined;
  } catch {
    return undefined;
  }
}

function itemOutcomes(item: Item, bodyId: string, nowMs: number): Outcome[] {
  const unitKind = item.unitKind === UnitKind.UNSPECIFIED ? UnitKind.ACCEPTED : item.unitKind;
  const created: Partial<Record<UnitKind, OutcomeKind>> = {
    [UnitKind.EXPANDED]: OutcomeKind.EXPANDED,
    [UnitKind.GENERATED]: OutcomeKind.GENERATED,
  };
  const common = {
    queueId: item.queueId,
    tenant: item.tenant,
    attempt: 0,
    atMs: nowMs,
    recipients: item.recipients.map(({ address }) => RecipientResult.fromPartial({ address })),
  };
  return [
    Outcome.fromPartial({
      ...common,
      kind: created[unitKind] ?? OutcomeKind.ACCEPTED,
      unitKind,
      accepted: {
        sessionId: item.sessionId,
        reversePath: item.reversePath,
        size: item.size,
        bodyIds: [bodyId],
        acceptedAtMs: item.acceptedAtMs,
      },
    }),
    Outcome.fromPartial({
      ...common,
      kind: OutcomeKind.DEFERRED,
      item: { ...salted(item), attempt: 0, body: { place: { $case: 'bodyId', value: bodyId } } },
    }),
  ];
}
