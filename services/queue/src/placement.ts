/**
 * What becomes of one accepted message: items that can start, and the outcomes that record everything else. Pure apart from `admit`, which takes
 * places in the windows. Decides whether the body must be in BODIES first: when it fans out to more than one item or anything waits.
 */
import type { Envelope, FindingSummary } from '@postern/proto/mail/v1/envelope';
import { type Item, UnitKind } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import { expand, type Unit } from './expand.js';
import { type Planned, planItems, type UnitRoute } from './items.js';
import { discardedBy, keptBy } from './kept-by.js';
import type { PolicyInUse } from './policy-in-use.js';
import { type AppliedRule, ruleSummary } from './rules/applied-rule.js';
import { type AskRelay, type RuledUnits, ruleUnits, unitRoute } from './rules/ruled-units.js';

export interface Placement {
  /** For WORK, with body. */
  readonly work: readonly Item[];
  readonly outcomes: Outcome[];
  /** The inline body must go into BODIES before anything else. */
  readonly bodyToStore: boolean;
  readonly waiting: number;
  /** What rules decided about recipients. */
  readonly ruled: readonly AppliedRule[];
}

export interface PlacementContext {
  readonly policy: PolicyInUse;
  readonly nowMs: number;
  readonly quarantineKeepMs: number;
  readonly admit: (tenant: string, lane: string) => boolean;
  /** Rules of the event relay; absent = there are none, or they are asked at dispatch. */
  readonly relay?: AskRelay | undefined;
}

const closedAs = {
  discard: OutcomeKind.DISCARDED,
  replaced: OutcomeKind.REPLACED,
  merged: OutcomeKind.MERGED,
} as const;

interface Waiting {
  readonly kind: OutcomeKind.DEFERRED | OutcomeKind.HELD | OutcomeKind.QUARANTINED | OutcomeKind.BOUNCED;
  readonly planned: Planned;
  readonly reason: string;
  /** Where it differs by recipient. */
  readonly reasonOf?: (unit: Unit) => string;
  readonly enhanced?: string;
}

interface Division {
  readonly work: Planned[];
  readonly waiting: Waiting[];
  readonly discarded: readonly Unit[];
  readonly applied: RuledUnits['applied'];
}

const unruled: Pick<RuledUnits, 'ended' | 'applied'> = { ended: [], applied: [] };

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
    ruled: plan.applied.flatMap(({ rules }) => rules),
    work: plan.work.map(({ item }) => withBody(item, byReference)),
    outcomes: [
      ...createdOutcomes(envelope, units, bodyIds, context.nowMs, plan.applied),
      ...closed(envelope, units, context.nowMs, plan),
      ...plan.waiting.map(({ kind, planned, reason, reasonOf: own = () => reason, enhanced }) =>
        outcomeOf(envelope, kind, planned.units, context.nowMs, {
          item: withBody(planned.item, true),
          reasonOf: own,
          enhanced,
        }),
      ),
    ],
  };
}

function divide(
  envelope: Envelope,
  units: readonly Unit[],
  { policy, quarantineKeepMs, admit, relay }: PlacementContext,
): Division {
  const mayNotify = envelope.senderAuthenticated || envelope.submittingTenant !== '';
  const expiresAtMs = envelope.acceptedAtMs + policy.schedule.lifetimeMs;
  const routed = (fate: Unit['fate']) =>
    units
      .filter((unit) => unit.fate === fate)
      .map((unit) => ({ unit, to: unitRoute(policy.router.route(unit.address)) }));
  const {
    go: deliver,
    ended,
    applied,
  } = relay === undefined
    ? { go: routed('deliver'), ...unruled }
    : ruleUnits(
        envelope,
        units
          .filter(({ fate }) => fate === 'deliver')
          .map((unit) => ({ unit, result: policy.router.route(unit.address) })),
        relay,
      );
  const work: Planned[] = [];
  const waiting: Waiting[] = [];
  const withOrigin = policy.rulesDelivery;
  const options = { expiresAtMs, mayNotify, attempt: 1, withOrigin };
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
  const why = new Map(stuck.map(({ unit, to }) => [unit, whyStuck(unit, to, policy)]));
  for (const planned of planItems(envelope, stuck, { ...options, attempt: 0 }))
    waiting.push({ kind: OutcomeKind.DEFERRED, planned, reason: '', reasonOf: (unit) => why.get(unit) ?? '' });
  const kept = { expiresAtMs: envelope.acceptedAtMs + quarantineKeepMs, mayNotify, attempt: 0, withOrigin };
  for (const { kind, unit, to, enhanced, text } of ended) {
    if (kind === 'discard') continue;
    const end = kind === 'hold' ? kept : { ...options, attempt: 0 };
    for (const planned of planItems(envelope, [{ unit, to }], end))
      waiting.push({
        kind: endedAs[kind],
        planned,
        reason: text,
        enhanced,
      });
  }
  for (const planned of planItems(envelope, routed('hold'), kept))
    waiting.push({ kind: OutcomeKind.HELD, planned, reason: '', reasonOf: (unit) => keptBy(envelope, unit, 'held') });
  for (const planned of planItems(envelope, routed('quarantine'), kept))
    waiting.push({
      kind: OutcomeKind.QUARANTINED,
      planned,
      reason: '',
      reasonOf: (unit) => keptBy(envelope, unit, 'quarantined'),
    });
  const discarded = ended.filter(({ kind }) => kind === 'discard').map(({ unit }) => unit);
  return { work, waiting, discarded, applied };
}

const endedAs = {
  bounce: OutcomeKind.BOUNCED,
  hold: OutcomeKind.HELD,
  defer: OutcomeKind.DEFERRED,
} as const;

function whyStuck({ tenant }: Unit, to: UnitRoute, policy: PolicyInUse): string {
  if (policy.isSuspended(tenant)) return 'tenant is suspended';
  return 'reason' in to ? to.reason : '';
}

/** ACCEPTED per tenant and EXPANDED per tenant; the first of each tenant carries the summary. */
export function createdOutcomes(
  envelope: Envelope,
  units: readonly Unit[],
  bodyIds: readonly string[],
  nowMs: number,
  applied: RuledUnits['applied'],
): Outcome[] {
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
        findings: [...envelope.findings, ...summariesOf(applied, members)],
        unjudged: envelope.unjudged,
        bodyIds: [...bodyIds],
        acceptedAtMs: envelope.acceptedAtMs,
        messageId: envelope.messageId,
        submittingTenant: envelope.submittingTenant,
      },
    }),
  );
}

function summariesOf(applied: RuledUnits['applied'], members: readonly Unit[]): FindingSummary[] {
  if (applied.length === 0) return [];
  return applied
    .filter(({ unit }) => members.includes(unit))
    .flatMap(({ unit, rules }) => rules.map((rule) => ruleSummary(unit.address, rule)));
}

function closed(
  envelope: Envelope,
  units: readonly Unit[],
  nowMs: number,
  { discarded, applied }: Division,
): Outcome[] {
  const groups = new Map<string, { kind: OutcomeKind; units: Unit[] }>();
  for (const unit of units) {
    const fate = discarded.includes(unit) ? 'discard' : unit.fate;
    if (fate !== 'discard' && fate !== 'replaced' && fate !== 'merged') continue;
    const key = `${unit.tenant}\n${fate}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { kind: closedAs[fate], units: [unit] });
    else group.units.push(unit);
  }
  return [...groups.values()].map(({ kind, units: members }) =>
    outcomeOf(envelope, kind, members, nowMs, {
      ...(kind === OutcomeKind.DISCARDED ? { reasonOf: (unit) => discardedBy(envelope, unit, applied) } : {}),
    }),
  );
}

function outcomeOf(
  envelope: Envelope,
  kind: OutcomeKind,
  units: readonly Unit[],
  nowMs: number,
  extra: { readonly item?: Item; readonly reasonOf?: (unit: Unit) => string; readonly enhanced?: string | undefined },
): Outcome {
  return Outcome.fromPartial({
    kind,
    queueId: envelope.queueId,
    tenant: units[0]?.tenant ?? '',
    attempt: 0,
    atMs: nowMs,
    recipients: units.map((unit) =>
      RecipientResult.fromPartial({
        address: unit.address,
        replyText: extra.reasonOf?.(unit) ?? '',
        enhancedCode: extra.enhanced ?? '',
      }),
    ),
    ...(extra.item === undefined ? {} : { item: extra.item }),
  });
}
