/**
 * dmarc: is the author's domain backed by an aligned SPF or DKIM pass, and what does it ask for when not? RFC 9989. Needs the SPF result,
 * which is asked for here when that check is off, and the DKIM results. `disposition` in the evidence is what the domain's policy comes to.
 */
import { type ArcResult, authorDomains, evaluateDmarc } from '@postern/mail-auth';
import { defineCheck } from '../check.js';
import { isBelowAny } from './domain-match.js';
import { evaluateSpf, spfResultOf } from './spf.js';

const maxQueries = 80;

export const dmarc = defineCheck({
  name: 'dmarc',
  settings: 'dmarc',
  doc: 'Is the From domain backed by an aligned SPF or DKIM pass? RFC 9989.',
  stage: 'body',
  outcomes: ['pass', 'fail', 'overridden', 'none', 'temperror', 'permerror'],
  late: 'temperror',
  timeoutMs: 5_000,
  applies: ({ isOutsider, content }) => isOutsider && content !== undefined,
  async evaluate({ resolver, clock, deadlineMs }, subject, { trustedArcSealers }) {
    const { content, findings } = subject;
    if (content === undefined) return [];
    const spf = spfResultOf(findings) ?? (await evaluateSpf(subject, { resolver, clock, deadlineMs }));
    const author = authorDomains(content.fields);
    const question = { author, spf, dkim: await content.dkim() };
    const found = await evaluateDmarc(question, resolver.withBudget({ queries: maxQueries, deadlineMs }));
    const evidence: Record<string, string> = {
      domain: found.domain,
      policy: found.policy,
      disposition: found.disposition,
    };
    if (found.policyDomain !== undefined) evidence.policy_domain = found.policyDomain;
    if (found.alignedSpf !== undefined) evidence.aligned_spf = found.alignedSpf;
    if (found.alignedDkim !== undefined) evidence.aligned_dkim = found.alignedDkim;
    if (found.reason !== undefined) evidence.reason = found.reason;
    if (found.testing) evidence.testing = 'true';
    if (found.result === 'fail' && trustedArcSealers.length > 0) {
      const override = arcOverride(await content.arc(), trustedArcSealers);
      if (override !== undefined)
        return [{ outcome: 'overridden', evidence: { ...evidence, ...override, disposition: 'none' } }];
    }
    return [{ outcome: found.result, evidence }];
  },
});

/**
 * A valid chain overrides a failure where every one of its sealers is trusted and the first of them saw DMARC pass (RFC 8617 §7.2.1). `override` is
 * the reason a report names: local_policy (RFC 7489, appendix C).
 */
function arcOverride(arc: ArcResult | undefined, trusted: readonly string[]): Record<string, string> | undefined {
  if (arc?.result !== 'pass') return undefined;
  const sealers = arc.sets.map(({ sealDomain }) => sealDomain);
  const [oldest] = arc.sets;
  if (oldest === undefined || !sealers.every((sealer) => isBelowAny(sealer, trusted))) return undefined;
  if (!/(^|;)\s*dmarc\s*=\s*pass\b/i.test(oldest.authenticationResults)) return undefined;
  return {
    override: 'local_policy',
    override_comment: `arc=pass ${sealers.map((name, at) => `as[${at + 1}].d=${name}`).join(' ')}`,
  };
}
