/**
 * dmarc: is the author's domain backed by an aligned SPF or DKIM pass, and what does it ask for when not? RFC 9989. Needs the SPF result,
 * which is asked for here when that check is off, and the DKIM results. `disposition` in the evidence is what the domain's policy comes to.
 */
import { authorDomains, evaluateDmarc } from '@postern/mail-auth';
import { defineCheck } from '../check.js';
import { evaluateSpf, spfResultOf } from './spf.js';

const maxQueries = 80;

export const dmarc = defineCheck({
  name: 'dmarc',
  doc: 'Is the From domain backed by an aligned SPF or DKIM pass? RFC 9989.',
  stage: 'body',
  outcomes: ['pass', 'fail', 'none', 'temperror', 'permerror'],
  late: 'temperror',
  timeoutMs: 5_000,
  applies: ({ isOutsider, content }) => isOutsider && content !== undefined,
  async evaluate({ resolver, clock, deadlineMs }, subject) {
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
    return [{ outcome: found.result, evidence }];
  },
});
