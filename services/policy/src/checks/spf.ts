/**
 * spf: may the client send for the reverse-path's domain (with a null one: for its greeting)? RFC 7208. The finding holds all that
 * Received-SPF, Authentication-Results and DMARC need of it at a later stage, on any pod.
 */
import {
  checkHelo,
  checkMailFrom,
  type DmarcIdentity,
  mailFromDomain,
  type SpfContext,
  type SpfOutcome,
  type SpfResult,
} from '@postern/mail-auth';
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import { defineCheck, lastFinding } from '../check.js';
import type { Subject } from '../subject.js';

const outcomes = ['pass', 'fail', 'softfail', 'neutral', 'none', 'temperror', 'permerror'] as const;

export const spf = defineCheck({
  name: 'spf',
  settings: 'spf',
  doc: 'Is the client allowed to send for the domain of the reverse-path? RFC 7208.',
  stage: 'mail',
  outcomes,
  late: 'temperror',
  alone: true,
  timeoutMs: 5_000,
  applies: ({ isOutsider, facts }) => isOutsider && facts.hasReversePath,
  async evaluate({ resolver, clock, deadlineMs }, subject, { helo }) {
    const context = { resolver, clock, deadlineMs };
    const { clientAddress, helo: greeting } = subject.origin;
    const question = { clientAddress, helo: greeting, reversePath: '', receiver: subject.snapshot.hostname };
    const asksGreeting = helo && subject.facts.reversePath !== '';
    const [result, greeted] = await Promise.all([
      evaluateSpf(subject, context),
      asksGreeting ? checkHelo(question, context) : undefined,
    ]);
    if (greeted === undefined) return [{ outcome: result.result, evidence: evidenceOf(result) }];
    if (greeted.result === 'fail') return [{ outcome: 'fail', evidence: evidenceOf(greeted) }];
    return [{ outcome: result.result, evidence: { ...evidenceOf(result), helo: greeted.result } }];
  },
});

export function evaluateSpf({ facts, origin, snapshot }: Subject, context: SpfContext): Promise<SpfResult> {
  const { clientAddress, helo } = origin;
  return checkMailFrom({ clientAddress, helo, reversePath: facts.reversePath, receiver: snapshot.hostname }, context);
}

function evidenceOf(result: SpfResult): Record<string, string> {
  const evidence: Record<string, string> = { identity: result.identity, domain: result.domain };
  if (result.mechanism !== undefined) evidence.mechanism = result.mechanism;
  if (result.problem !== undefined) evidence.problem = result.problem;
  if (result.explanation !== undefined) evidence.explanation = result.explanation;
  return evidence;
}

/** For DMARC: as it was found; where it was not, to be asked. One that ran out of time is still about its domain. */
export function spfIdentity(subject: Subject, context: SpfContext): DmarcIdentity<SpfOutcome> {
  const { facts, origin, findings } = subject;
  const known = spfResultOf(findings);
  const domain = known?.domain || mailFromDomain({ helo: origin.helo, reversePath: facts.reversePath });
  return { domain, result: known?.result ?? (async () => (await evaluateSpf(subject, context)).result) };
}

const isOutcome = (text: string): text is SpfOutcome => outcomes.some((outcome) => outcome === text);

/** The result as it was found, at this stage or an earlier one. */
export function spfResultOf(findings: readonly Finding[]): SpfResult | undefined {
  const finding = lastFinding(findings, 'spf');
  if (finding === undefined || !isOutcome(finding.outcome)) return undefined;
  const { identity, domain = '', mechanism, problem, explanation } = finding.evidence;
  return {
    result: finding.outcome,
    identity: identity === 'helo' ? 'helo' : 'mailfrom',
    domain,
    mechanism,
    problem,
    explanation,
    lookups: 0,
  };
}
