/**
 * What becomes of one accepted message: items that can start, and the outcomes that record everything else. Pure apart from `admit`, which takes
 * places in the windows. Decides whether the body must be in BODIES first: when it fans out to more than one item or anything waits.
 */
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import { type Item, UnitKind } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import { expand, type Unit } from './expand.js';
import { type Planned, planItems, type UnitRoute } from './items.js';
import type { PolicyInUse } from './policy-in-use.js';

export interface Placement {
  /** For WORK, with body. */
  readonly work: readonly Item[];
  readonly outcomes: Outcome[];
  /** The inline body must go into BODIES before anything else. */
  readonly bodyToStore: boolean;
  readonly waiting: number;
}

export interface PlacementContext {
  readonly policy: PolicyInUse;
  readonly nowMs: number;
  readonly quarantineKeepMs: number;
  readonly admit: (tenant: string, lane: string) => boolean;
}

const closedAs = {
  discard: OutcomeKind.DISCARDED,
  replaced: OutcomeKind.REPLACED,
  merged: OutcomeKind.MERGED,
} as const;

interface Waiting {
  readonly kind: OutcomeKind.DEFERRED | OutcomeKind.HELD | OutcomeKind.QUARANTINED;
  readonly planned: Planned;
  readonly reason: string;
}

export function placementOf(envelope: Envelope, context: PlacementContext): Placement {
  const units = expand(envelope, (domain) => context.policy.router.ownerOf(domain));
  const plan = divide(envelope, units, context);
  const place = envelope.body?.place;
  const replaced = envelope.renderings.flatMap(({ replacedBodyId }) => (replacedBodyId === '' ? [] : [replacedBodyId]));
  const itemCount = plan.work.length + plan.waiting.length;
  const usesSpooled = [...plan.work, ...plan.waiting.map(({ planned }) => planned)].some(
    ({ item }) => (item.rendering?.replacedBodyId ?? '') === '',
  );
  const bodyToStore = place?.$case === 'inline' && usesSpooled && (itemCount > 1 || plan.waiting.length > 0);
  const spooledId = place?.$case === 'bodyId' ? place.value : envelope.queueId;
  const byReference = place?.$case === 'bodyId' || bodyToStore;
  const withBody = (item: Item, reference: boolean): Item => {
    const own = item.rendering?.replacedBodyId ?? '';
    if (own !== '') return { ...item, body: { place: { $case: 'bodyId', value: own } } };
    if (reference) return { ...item, body: { place: { $case: 'bodyId', value: spooledId } } };
    return { ...item, body: envelope.body };
  };
  const bodyIds = byReference ? [spooledId, ...replaced] : replaced;
  return {
    bodyToStore,
    waiting: plan.waiting.length,
    work: plan.work.map(({ item }) => withBody(item, byReference)),
    outcomes: [
      ...created(envelope, units, bodyIds, context.nowMs),
      ...closed(envelope, units, context.nowMs),
      ...plan.waiting.map(({ kind, planned, reason }) =>
        outcomeOf(envelope, kind, planned.units, context.nowMs, { item: withBody(planned.item, true), reason }),
      ),
    ],
  };
}

function divide(
  envelope: Envelope,
  units: readonly Unit[],
  { policy, quarantineKeepMs, admit }: PlacementContext,
): { work: Planned[]; waiting: Waiting[] } {
  const mayNotify = envelope.senderAuthenticated || envelope.submittingTenant !== '';
  const expiresAtMs = envelope.acceptedAtMs + policy.schedule.lifetimeMs;
  const routed = (fate: Unit['fate']) =>
    units
      .filter((unit) => unit.fate === fate)
      .map((unit) => {
        const result = policy.router.route(unit.address);
        const to: UnitRoute = result.kind === 'routed' ? { route: result.route } : { reason: result.reason };
        return { unit, to };
      });
  const deliver = routed('deliver');
  const work: Planned[] = [];
  const waiting: Waiting[] = [];
  const options = { expiresAtMs, mayNotify, attempt: 1 };
  const startable = deliver.filter(({ unit, to }) => 'route' in to && !policy.isSuspended(unit.tenant));
  for (const planned of planItems(envelope, startable, options)) {
    if (admit(planned.item.tenant, planned.item.route?.lane ?? '')) work.push(planned);
    else
      waiting.push({
        kind: OutcomeKind.DEFERRED,
        planned: { ...planned, item: { ...planned.item, attempt: 0 } },
        reason: '',
      });
  }
  const stuck = deliver.filter(({ unit, to }) => !('route' in to) || policy.isSuspended(unit.tenant));
  for (const planned of planItems(envelope, stuck, { ...options, attempt: 0 }))
    waiting.push({ kind: OutcomeKind.DEFERRED, planned, reason: reasonOf(planned, policy) });
  const kept = { expiresAtMs: envelope.acceptedAtMs + quarantineKeepMs, mayNotify, attempt: 0 };
  for (const planned of planItems(envelope, routed('hold'), kept))
    waiting.push({ kind: OutcomeKind.HELD, planned, reason: 'held by verdict' });
  for (const planned of planItems(envelope, routed('quarantine'), kept))
    waiting.push({ kind: OutcomeKind.QUARANTINED, planned, reason: 'quarantined by verdict' });
  return { work, waiting };
}

function reasonOf(planned: Planned, policy: PolicyInUse): string {
  const [unit] = planned.units;
  if (unit === undefined) return '';
  if (policy.isSuspended(unit.tenant)) return 'tenant is suspended';
  const result = policy.router.route(unit.address);
  return result.kind === 'unrouted' ? result.reason : '';
}

/** ACCEPTED per tenant and EXPANDED per tenant; the first of each tenant carries the summary. */
function created(envelope: Envelope, units: readonly Unit[], bodyIds: readonly string[], nowMs: number): Outcome[] {
  const groups = new Map<string, { kind: UnitKind; tenant: string; units: Unit[] }>();
  for (const unit of units) {
    const key = `${unit.tenant}\n${unit.kind}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { kind: unit.kind, tenant: unit.tenant, units: [unit] });
    else group.units.push(unit);
  }
  return [...groups.values()].map(({ kind, tenant, units: members }) =>
    Outcome.fromPartial({
      kind: kind === UnitKind.EXPANDED ? OutcomeKind.EXPANDED : OutcomeKind.ACCEPTED,
      queueId: envelope.queueId,
      tenant,
      attempt: 0,
      atMs: nowMs,
      unitKind: kind,
      recipients: members.map(({ address }) => RecipientResult.fromPartial({ address })),
      accepted: {
        sessionId: envelope.sessionId,
        reversePath: envelope.reversePath,
        origin: envelope.origin,
        size: envelope.size,
        findings: envelope.findings,
        unjudged: envelope.unjudged,
        bodyIds: [...bodyIds],
        acceptedAtMs: envelope.acceptedAtMs,
      },
    }),
  );
}

function closed(envelope: Envelope, units: readonly Unit[], nowMs: number): Outcome[] {
  const groups = new Map<string, { kind: OutcomeKind; units: Unit[] }>();
  for (const unit of units) {
    if (unit.fate !== 'discard' && unit.fate !== 'replaced' && unit.fate !== 'merged') continue;
    const key = `${unit.tenant}\n${unit.fate}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { kind: closedAs[unit.fate], units: [unit] });
    else group.units.push(unit);
  }
  return [...groups.values()].map(({ kind, units: members }) => outcomeOf(envelope, kind, members, nowMs, {}));
}

function outcomeOf(
  envelope: Envelope,
  kind: OutcomeKind,
  units: readonly Unit[],
  nowMs: number,
  extra: { readonly item?: Item; readonly reason?: string },
): Outcome {
  return Outcome.fromPartial({
    kind,
    queueId: envelope.queueId,
    tenant: units[0]?.tenant ?? '',
    attempt: 0,
    atMs: nowMs,
    recipients: units.map(({ address }) => RecipientResult.fromPartial({ address, replyText: extra.reason ?? '' })),
    ...(extra.item === undefined ? {} : { item: extra.item }),
  });
}
