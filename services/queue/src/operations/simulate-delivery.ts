/**
 * What rules about delivery would decide for a described envelope, by the code that decides for mail (design.md, invariant 10): expansion, route,
 * rules before the attempt, and rules after a failure that is supposed. Nothing is stored, counted or sent. A tenant sees its own recipients.
 */
import type { Clock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import { type Envelope, Rendering } from '@postern/proto/mail/v1/envelope';
import { Item, LaneClass, TlsMode } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind, RecipientResult } from '@postern/proto/mail/v1/outcome';
import {
  type SimulateDeliveryRequest,
  type SimulateDeliveryResponse,
  SimulatedDelivery,
} from '@postern/proto/queue/v1/queue_service';
import { tlsModeOf } from '@postern/smtp-client';
import { expand, type Unit } from '../expand.js';
import type { PolicyInUse } from '../policy-in-use.js';
import { domainOf, type RouteResult } from '../route.js';
import { ruleSummary } from '../rules/applied-rule.js';
import { rescheduled, ruleFailures } from '../rules/failure-rules.js';
import { type Relayed, type RuleParts, relayed } from '../rules/relay-rules.js';
import { foldOutcomes, replyLine, type UnitChange } from '../unit-change.js';

export interface SimulationParts {
  readonly policy: PolicyInUse;
  readonly clock: Clock;
}

const mostRecipients = 1_000;
const mostCandidates = 100;
const systemTenant = 'system';

/** Supposed where the caller does not say what the next hop answers. */
const supposed: readonly RecipientResult[] = [
  RecipientResult.fromPartial({ replyCode: 451, enhancedCode: '4.3.0', replyText: 'Try again later' }),
  RecipientResult.fromPartial({ replyCode: 550, enhancedCode: '5.0.0', replyText: 'Refused' }),
];

export function simulateDelivery(
  { policy, clock }: SimulationParts,
  request: SimulateDeliveryRequest,
  isVisible: (tenant: string) => boolean,
): SimulateDeliveryResponse {
  const { envelope: described, scene, candidates } = request;
  if (described === undefined) throw new PosternError('invalid-argument', 'envelope is missing');
  if (described.forwardPaths.length > mostRecipients)
    throw new PosternError('invalid-argument', `at most ${mostRecipients} recipients`);
  if (candidates.length > mostCandidates)
    throw new PosternError('invalid-argument', `at most ${mostCandidates} candidate rules`);
  const rules = candidates.length === 0 ? policy.rules : policy.rules.trying(candidates);
  const { router } = policy;
  const envelope: Envelope = {
    ...described,
    acceptedAtMs: clock.now() - Math.max(0, scene?.ageMs ?? 0),
    forwardPaths: described.forwardPaths.map((path) => ({
      ...path,
      tenant: router.ownerOf(domainOf(path.address)) ?? (path.tenant || systemTenant),
    })),
  };
  const faults: string[] = [];
  const parts: RuleParts = { rules, router, clock, onFault: (rule, message) => faults.push(`${rule} ${message}`) };
  const told = { policy, parts, envelope, attempt: Math.max(1, scene?.attempt ?? 1), faults };
  const replies = scene?.reply === undefined ? supposed : [scene.reply];
  const deliveries = expand(envelope, router.ownerOf)
    .filter(({ fate, tenant }) => fate === 'deliver' && isVisible(tenant))
    .flatMap((unit) => {
      const before = router.route(unit.address);
      const said = ask(told, unit, before);
      const shown = ofRelay(told, unit, said);
      const attempted = said.kind === 'go' && said.route.kind === 'routed';
      return attempted ? [shown, ...replies.flatMap((reply) => ofFailure(told, unit, said, reply))] : [shown];
    });
  return { deliveries };
}

interface Told {
  readonly policy: PolicyInUse;
  readonly parts: RuleParts;
  readonly envelope: Envelope;
  readonly attempt: number;
  readonly faults: string[];
}

function ask({ parts, envelope, attempt }: Told, unit: Unit, before: RouteResult): Relayed {
  const subject = {
    recipient: unit.address,
    tenant: unit.tenant,
    reversePath: envelope.reversePath,
    size: envelope.size,
    acceptedAtMs: envelope.acceptedAtMs,
    attempt,
    tags: envelope.renderings[unit.rendering]?.tags ?? [],
    origin: envelope.origin,
    route: before.kind === 'routed' ? before.route : undefined,
  };
  return relayed(parts, subject, before);
}

function ofRelay({ faults }: Told, { address }: Unit, said: Relayed): SimulatedDelivery {
  const { kind, route, retry, text, applied } = said;
  const unrouted = kind === 'go' && route.kind === 'unrouted';
  return SimulatedDelivery.fromPartial({
    recipient: address,
    event: 'relay',
    outcome: unrouted ? 'unrouted' : kind,
    text: [unrouted ? route.reason : [said.enhanced, text].join(' ').trim(), ...faults.splice(0)]
      .filter((part) => part !== '')
      .join('; '),
    route: kind === 'go' ? routeText(route) : '',
    delaysMs: [...(retry?.delaysMs ?? [])],
    expiresAfterMs: retry?.giveUpAfterMs ?? 0,
    rules: applied.map((rule) => ruleSummary(address, rule)),
  });
}

/** Nothing where no rule speaks about such a failure. */
function ofFailure(told: Told, unit: Unit, said: Relayed, reply: RecipientResult): SimulatedDelivery[] {
  const { parts, faults } = told;
  const result = { ...reply, address: unit.address };
  const isFinal = result.replyCode >= 500;
  const folded = foldOutcomes([failureOf(told, unit, said, result)]);
  const [change] = folded.ok ? folded.changes : [];
  if (change === undefined) return [];
  ruleFailures(parts, [change]);
  const fault = faults.splice(0).join('; ');
  if (change.ruled.length === 0 && fault === '') return [];
  const { outcome, result: after } = change.final ?? change.wait ?? { outcome: undefined, result };
  const item = outcome?.item;
  return [
    SimulatedDelivery.fromPartial({
      recipient: unit.address,
      event: isFinal ? 'delivery-failure' : 'temporary-failure',
      outcome: stateOf(change),
      text: fault,
      reply: replyLine(result),
      delaysMs: item?.retryDelaysMs ?? [],
      expiresAfterMs: item === undefined ? 0 : Math.max(0, item.expiresAtMs - item.acceptedAtMs),
      notice: after.noticeText,
      rules: change.ruled.map((rule) => ruleSummary(unit.address, rule)),
    }),
  ];
}

function stateOf({ final, wait }: UnitChange): string {
  if (final !== undefined) return final.state;
  return wait?.state === 'held' ? 'held' : 'waits';
}

function failureOf({ policy, envelope, attempt }: Told, unit: Unit, said: Relayed, result: RecipientResult): Outcome {
  const item = Item.fromPartial({
    queueId: envelope.queueId,
    tenant: unit.tenant,
    attempt,
    recipients: [unit.recipient],
    reversePath: envelope.reversePath,
    size: envelope.size,
    acceptedAtMs: envelope.acceptedAtMs,
    expiresAtMs: envelope.acceptedAtMs + policy.schedule.lifetimeMs,
    rendering: envelope.renderings[unit.rendering] ?? Rendering.fromPartial({}),
    body: { place: { $case: 'bodyId', value: envelope.queueId } },
    ...(said.route.kind === 'routed' ? { route: said.route.route } : {}),
    ...(envelope.origin === undefined ? {} : { origin: envelope.origin }),
  });
  return Outcome.fromPartial({
    kind: result.replyCode >= 500 ? OutcomeKind.BOUNCED : OutcomeKind.DEFERRED,
    queueId: envelope.queueId,
    tenant: unit.tenant,
    attempt,
    atMs: envelope.acceptedAtMs,
    recipients: [result],
    item: rescheduled(item, said.retry),
  });
}

const classes: Partial<Record<LaneClass, string>> = {
  [LaneClass.LOCAL]: 'local',
  [LaneClass.REMOTE]: 'by MX',
  [LaneClass.SMARTHOST]: 'next hop',
};

/** Names only: hosts and logins of an operator's next hop are not the tenant's to read. */
function routeText(result: RouteResult): string {
  if (result.kind !== 'routed') return '';
  const { lane, laneClass, egressPool, egress } = result.route;
  const parts = [
    classes[laneClass] ?? '',
    `pool ${egressPool}`,
    egress === undefined || egress.sourceAddress === '' ? '' : `from ${egress.sourceAddress}`,
    egress === undefined || egress.helo === '' ? '' : `as ${egress.helo}`,
    egress === undefined || egress.tlsMode === TlsMode.UNSPECIFIED ? '' : `TLS ${tlsModeOf(egress.tlsMode)}`,
    egress === undefined ? '' : egress.tlsVersions.join('+'),
  ];
  return `${lane} (${parts.filter((part) => part !== '').join(', ')})`;
}
