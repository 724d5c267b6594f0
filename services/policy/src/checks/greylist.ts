/**
 * greylist: has this origin sent from this sender to this recipient before, or come again in time? RFC 6647. The origin is the domain SPF
 * passed for, so that a pool of many addresses is one origin; else the /24 or /64 of the client. Asked per recipient with its own settings.
 */
import { type CheckContext, defineCheck, type Observation } from '../check.js';
import { neighbourhood, networksOf } from '../network-set.js';
import { domainOf, type Subject } from '../subject.js';
import { isBelowAny } from './domain-match.js';
import { spfResultOf } from './spf.js';

const outcomes = [
  'new',
  'early',
  'passed',
  'known',
  'auto_allowed',
  'exempt',
  'unavailable',
  'unavailable_defer',
] as const;
type Outcome = (typeof outcomes)[number];

const maxConcurrent = 64;

export const greylist = defineCheck({
  name: 'greylist',
  settings: 'greylist',
  doc: 'Has this origin sent from this sender to this recipient before, or come again in time? RFC 6647.',
  stage: 'rcpt',
  outcomes,
  late: 'unavailable',
  timeoutMs: 500,
  applies: (subject) => greylisted(subject).length > 0,
  concerns: greylisted,
  async evaluate(context, subject) {
    const asked = greylisted(subject);
    const observations: Observation<Outcome>[] = [];
    for (let at = 0; at < asked.length; at += maxConcurrent)
      observations.push(
        ...(await Promise.all(asked.slice(at, at + maxConcurrent).map((one) => observe(context, subject, one)))),
      );
    return observations;
  },
});

function greylisted({ isOutsider, asked, snapshot, facts }: Subject): readonly string[] {
  if (!isOutsider || facts.reversePath === '') return [];
  if (!snapshot.policies.differ && !snapshot.policies.server.greylist.enabled) return [];
  return asked
    .map(({ address }) => address)
    .filter((address) => snapshot.policies.ofDomain(domainOf(address)).greylist.enabled);
}

async function observe(
  { tools, dryRun }: CheckContext,
  subject: Subject,
  recipient: string,
): Promise<Observation<Outcome>> {
  const { facts, origin, snapshot, findings } = subject;
  const policy = snapshot.policies.ofDomain(domainOf(recipient)).greylist;
  const senderDomain = domainOf(facts.reversePath);
  if (networksOf(policy.exempt).has(origin.clientAddress) || isBelowAny(senderDomain, policy.exemptSenders))
    return { outcome: 'exempt', evidence: {}, recipient };
  const spf = policy.identity ? spfResultOf(findings) : undefined;
  const origins = spf?.result === 'pass' && spf.domain !== '' ? spf.domain : neighbourhood(origin.clientAddress);
  const { outcome, waitMs } = await tools.greylist.ask({
    origin: origins,
    reversePath: facts.reversePath,
    recipient,
    delayMs: policy.delay,
    windowMs: policy.window,
    rememberMs: policy.remember,
    autoAllow: policy.autoAllow,
    dryRun,
  });
  if (outcome === 'unavailable')
    return {
      outcome: policy.whenAway === 'defer' ? 'unavailable_defer' : 'unavailable',
      evidence: { origin: origins },
      recipient,
    };
  return {
    outcome,
    evidence: { origin: origins, ...(waitMs > 0 ? { wait: String(Math.ceil(waitMs / 1_000)) } : {}) },
    recipient,
  };
}
