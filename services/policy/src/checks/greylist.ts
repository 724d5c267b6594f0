/**
 * greylist: has this origin sent from this sender to this recipient before, or come again in time? RFC 6647. The origin is the domain SPF
 * passed for, so that a pool of many addresses is one origin; else the /24 or /64 of the client. Asked per recipient with its own
 * settings; with `signature` those whose origin SPF does not tell are asked by `greylist_signed` instead.
 */
import { type CheckContext, defineCheck, type Observation } from '../check.js';
import { isExemptClient } from '../exempt-client.js';
import { neighbourhood } from '../network-set.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { domainOf, type Subject } from '../subject.js';
import { isBelowAny } from './domain-match.js';
import { spfResultOf } from './spf.js';

/** From what holds mail up to what does not. */
export const greylistOutcomes = [
  'new',
  'early',
  'unavailable_defer',
  'unavailable',
  'passed',
  'known',
  'auto_allowed',
  'exempt',
] as const;
export type GreylistOutcome = (typeof greylistOutcomes)[number];

const maxConcurrent = 64;

/** While Redis is away or slow. */
export const whenAway = (policy: GreylistPolicy): 'unavailable' | 'unavailable_defer' =>
  policy.whenAway === 'defer' ? 'unavailable_defer' : 'unavailable';

export const greylist = defineCheck({
  name: 'greylist',
  settings: 'greylist',
  doc: 'Has this origin sent from this sender to this recipient before, or come again in time? RFC 6647.',
  stage: 'rcpt',
  outcomes: greylistOutcomes,
  late: whenAway,
  timeoutMs: 500,
  applies: (subject) => greylisted(subject).length > 0,
  concerns: greylisted,
  async evaluate(context, subject) {
    const asked = greylisted(subject);
    const observations: Observation<GreylistOutcome>[] = [];
    for (let at = 0; at < asked.length; at += maxConcurrent)
      observations.push(
        ...(await Promise.all(asked.slice(at, at + maxConcurrent).map((one) => observe(context, subject, one)))),
      );
    return observations;
  },
});

function greylisted(subject: Subject): readonly string[] {
  const { isOutsider, asked, snapshot, facts } = subject;
  if (!isOutsider || facts.reversePath === '') return [];
  if (!snapshot.policies.differ && !snapshot.policies.server.greylist.enabled) return [];
  return asked
    .map(({ address }) => address)
    .filter((address) => {
      const policy = snapshot.policies.ofDomain(domainOf(address)).greylist;
      return policy.enabled && !waitsForSignature(subject, policy);
    });
}

type GreylistPolicy = CheckPolicies['greylist'];

/** Asked at the end of data, by `greylist_signed`. */
export const waitsForSignature = ({ findings }: Subject, policy: GreylistPolicy): boolean =>
  policy.signature && spfOrigin(findings, policy) === undefined;

function spfOrigin(findings: Subject['findings'], policy: GreylistPolicy): string | undefined {
  const spf = policy.identity ? spfResultOf(findings) : undefined;
  return spf?.result === 'pass' && spf.domain !== '' ? spf.domain : undefined;
}

function observe(context: CheckContext, subject: Subject, recipient: string): Promise<Observation<GreylistOutcome>> {
  const policy = subject.snapshot.policies.ofDomain(domainOf(recipient)).greylist;
  const origin = spfOrigin(subject.findings, policy) ?? neighbourhood(subject.origin.clientAddress);
  return askGreylist(context, subject, { recipient, policy, origin });
}

export interface GreylistQuestion {
  readonly recipient: string;
  readonly policy: GreylistPolicy;
  readonly origin: string;
}

export async function askGreylist(
  { tools, dryRun }: CheckContext,
  subject: Pick<Subject, 'facts' | 'origin'>,
  { recipient, policy, origin }: GreylistQuestion,
): Promise<Observation<GreylistOutcome>> {
  const { facts } = subject;
  if (isExemptClient(subject, policy.exempt) || isBelowAny(domainOf(facts.reversePath), policy.exemptSenders))
    return { outcome: 'exempt', evidence: {}, recipient };
  const { outcome, waitMs } = await tools.greylist.ask({
    origin,
    reversePath: facts.reversePath,
    recipient,
    delayMs: policy.delay,
    windowMs: policy.window,
    rememberMs: policy.remember,
    autoAllow: policy.autoAllow,
    dryRun,
  });
  if (outcome === 'unavailable') return { outcome: whenAway(policy), evidence: { origin }, recipient };
  return {
    outcome,
    evidence: { origin, ...(waitMs > 0 ? { wait: String(Math.ceil(waitMs / 1_000)) } : {}) },
    recipient,
  };
}
