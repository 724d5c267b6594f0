/**
 * Where recipients that rules redirect to or add lead: an address here is looked up as RCPT looks it up, so that aliases are expanded and nobody is
 * mailed who is disabled or does not exist. A redirect to such an address is answered as the address would be; a copy for one is not made, and that
 * is told. A tenant's rule reaches no recipient of another tenant: that one's rules and lists have no say in it.
 */
import { Action, type Finding, type Stage } from '@postern/proto/policy/v1/policy_service';
import { expand } from '../directory/expand.js';
import { within } from '../patience.js';
import { ruleCheck } from '../rules/rule-finding.js';
import { domainOf } from '../subject.js';
import { decision, type Verdictable } from '../verdict/decision.js';
import type { EvaluationState, Judged } from './state.js';

const longestMs = 2_000;

type Resolved =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'unknown' | 'disabled' | 'foreign' | 'expansion_failed' | 'unavailable' };
type Unreachable = Exclude<Resolved['kind'], 'addresses'>;

const refusals: Readonly<Record<Unreachable, Verdictable>> = {
  unknown: { action: Action.REJECT, code: 550, enhanced: '5.1.1', text: 'No such recipient' },
  disabled: { action: Action.REJECT, code: 550, enhanced: '5.2.1', text: 'Mailbox is disabled' },
  foreign: {
    action: Action.REJECT,
    code: 550,
    enhanced: '5.7.1',
    text: 'Recipient is redirected to where it may not be',
  },
  expansion_failed: { action: Action.TEMPFAIL, code: 451, enhanced: '4.2.4', text: 'Recipient cannot be expanded' },
  unavailable: { action: Action.TEMPFAIL, code: 451, enhanced: '4.3.0', text: 'Recipient cannot be looked up now' },
};

export async function resolveTargets(state: EvaluationState, stage: Stage): Promise<void> {
  const { judged, subject, known } = state;
  for (const one of judged) {
    const { course, recipient } = one;
    if (course.refusal !== undefined || (course.redirect === undefined && course.added.length === 0)) continue;
    const made = subject.findings
      .slice(known)
      .filter(({ check, recipient: of }) => check === ruleCheck && of === recipient.address);
    const redirect = made.findLast(({ action }) => action === 'redirect');
    if (redirect !== undefined) await resolveOne(state, one, redirect, stage);
    for (const finding of made) if (finding.action === 'addRecipient') await resolveOne(state, one, finding, stage);
  }
}

async function resolveOne(state: EvaluationState, one: Judged, finding: Finding, stage: Stage): Promise<void> {
  const { course, recipient } = one;
  const { address = '', tenant } = finding.evidence;
  const found = await resolve(state, address, tenant);
  const isCopy = finding.action === 'addRecipient';
  if (found.kind === 'addresses') {
    if (isCopy) course.copies.push(...found.addresses);
    else course.redirectedTo = found.addresses;
    return;
  }
  // A copy that may be made later is worth waiting for; one that never can must not cost the mail.
  const refuses = !isCopy || found.kind === 'unavailable';
  const refusal = refusals[found.kind];
  if (refuses) course.take(decision(refusal, finding.rule));
  state.subject.findings.push({
    ...{ check: ruleCheck, outcome: found.kind, recipient: recipient.address, rule: finding.rule },
    evidence: { ...finding.evidence, address },
    ...{ durationUs: 0, stage, action: refuses ? actionOf(refusal) : 'no copy' },
  });
}

const actionOf = ({ action }: Verdictable): string => (action === Action.TEMPFAIL ? 'tempfail' : 'reject');

async function resolve(
  { services, subject, remainingMs }: EvaluationState,
  address: string,
  tenant: string | undefined,
): Promise<Resolved> {
  const { snapshot } = subject;
  const domain = snapshot.domain(domainOf(address));
  if (domain === undefined) return { kind: 'addresses', addresses: [address] };
  if (tenant !== undefined && domain.tenant !== tenant) return { kind: 'foreign' };
  if (!domain.validateRecipients) return { kind: 'addresses', addresses: [address] };
  const work = expand(services.directory, address, (name) => snapshot.domain(name));
  const found = await within(services.clock, Math.min(longestMs, remainingMs), work);
  if (found === undefined) return { kind: 'unavailable' };
  switch (found.kind) {
    case 'failed':
      return { kind: 'expansion_failed' };
    case 'mailbox':
      return { kind: 'addresses', addresses: [address] };
    case 'targets':
      return { kind: 'addresses', addresses: found.targets };
    case 'unknown':
    case 'disabled':
    case 'unavailable':
      return { kind: found.kind };
  }
}
