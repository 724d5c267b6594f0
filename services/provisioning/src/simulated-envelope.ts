/**
 * The envelope a simulated session would have been accepted with, from what was described and the verdicts: for the question what rules about
 * delivery would do next. Undefined where nothing was accepted. Tags of rules are known only where a message was described. Pure.
 */
import { Disposition, Envelope } from '@postern/proto/mail/v1/envelope';
import {
  Action,
  type Decision,
  type SimulateRequest,
  type SimulateResponse,
} from '@postern/proto/policy/v1/policy_service';

const refusals: ReadonlySet<Action> = new Set([Action.REJECT, Action.TEMPFAIL, Action.CLOSE]);
const isRefused = (decision: Decision | undefined): boolean => decision !== undefined && refusals.has(decision.action);

const dispositions = new Map<Action, Disposition>([
  [Action.HOLD, Disposition.HOLD],
  [Action.QUARANTINE, Disposition.QUARANTINE],
  [Action.DISCARD, Disposition.DISCARD],
]);
const dispositionOf = (decision: Decision | undefined): Disposition =>
  dispositions.get(decision?.action ?? Action.ACCEPT) ?? Disposition.DELIVER;

const isKept = (disposition: Disposition): boolean => disposition !== Disposition.DELIVER;

export function simulatedEnvelope(
  { facts, content, tenant }: SimulateRequest,
  { stages, submittingTenant }: SimulateResponse,
): Envelope | undefined {
  const last = stages.at(-1);
  const atRcpt = stages.find(({ recipients }) => recipients.length > 0);
  if (facts === undefined || last === undefined || atRcpt === undefined) return undefined;
  if (stages.some(({ decision }) => isRefused(decision))) return undefined;
  // A policy service before this release does not say whom a relay client submits for: the tenant whose view it is.
  const submitter = submittingTenant || facts.submittingTenant || tenant;
  const whole = stages.map(({ decision }) => dispositionOf(decision));
  const groups = last.groups.map((group, index) => ({ ...group, index: index + 1 }));
  const classed = new Map(facts.recipients.map((recipient) => [recipient.address, recipient]));
  const paths = atRcpt.recipients
    .filter(({ decision }) => !isRefused(decision))
    .map(({ address, decision, expandsTo }) => {
      const group = groups.find(({ recipients }) => recipients.includes(address));
      const kept = isRefused(group?.decision) ? Disposition.QUARANTINE : dispositionOf(group?.decision);
      return {
        address,
        tenant: classed.get(address)?.tenant || submitter,
        expandsTo,
        rendering: group?.index ?? 0,
        disposition: [...whole, dispositionOf(decision), kept].find(isKept) ?? Disposition.DELIVER,
      };
    });
  if (paths.length === 0) return undefined;
  const changed = stages.findLast(({ changedSender }) => changedSender !== undefined)?.changedSender?.address;
  return Envelope.fromPartial({
    queueId: 'simulation',
    submittingTenant: submitter,
    reversePath: changed ?? facts.reversePath,
    forwardPaths: paths,
    renderings: [{}, ...groups.map(({ rendering }) => ({ tags: rendering?.tags ?? [] }))],
    size: content.length === 0 ? facts.declaredSize : content.length,
    ...(facts.origin === undefined ? {} : { origin: facts.origin }),
  });
}
