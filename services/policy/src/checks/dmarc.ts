/**
 * dmarc: is the author's domain backed by an aligned SPF or DKIM pass, and what does it ask for when not? RFC 9989. Only what could be aligned is
 * asked and waited for, SPF too where that check is off. `disposition` in the evidence is what the domain's policy comes to, `at_stake` what
 * it could have come to while DNS does not tell; the tags of the record are what a report needs.
 */
import { type ArcResult, authorDomains, type DmarcRecord, evaluateDmarc } from '@postern/mail-auth';
import { defineCheck } from '../check.js';
import { within } from '../patience.js';
import { isBelowAny } from './domain-match.js';
import { spfIdentity } from './spf.js';

/** Ten authors with a walk of eight names and three questions whether they exist, ten identities with a walk each. */
const maxQueries = 200;
const longestReports = 500;

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
    const { content } = subject;
    if (content === undefined) return [];
    const endsAt = clock.monotonic() + deadlineMs;
    const inTime = <T>(work: Promise<T> | undefined): Promise<T | undefined> =>
      within(clock, endsAt - clock.monotonic(), work);
    const dkim = content.signers().map(({ domain, result }) => ({
      domain,
      result: async () => (await inTime(result))?.result ?? 'temperror',
    }));
    const spf = spfIdentity(subject, { resolver, clock, deadlineMs });
    const question = { author: authorDomains(content.fields), spf, dkim };
    const found = await evaluateDmarc(question, resolver.withBudget({ queries: maxQueries, deadlineMs }));
    const evidence: Record<string, string> = {
      domain: found.domain,
      policy: found.policy,
      disposition: found.disposition,
    };
    if (found.result === 'temperror') evidence.at_stake = found.atStake;
    if (found.policyDomain !== undefined) evidence.policy_domain = found.policyDomain;
    if (found.alignedSpf !== undefined) evidence.aligned_spf = found.alignedSpf;
    if (found.alignedDkim !== undefined) evidence.aligned_dkim = found.alignedDkim;
    if (found.reason !== undefined) evidence.reason = found.reason;
    if (found.testing) evidence.testing = 'true';
    if (found.record !== undefined) Object.assign(evidence, published(found.record));
    if (found.result === 'fail' && mayOverride(content.claimedSealers, trustedArcSealers)) {
      const arc = await inTime(content.arc());
      if (arc === undefined || arc.result === 'temperror') {
        const unknown = { disposition: 'none', at_stake: found.disposition, reason: 'ARC temperror' };
        return [{ outcome: 'temperror', evidence: { ...evidence, ...unknown } }];
      }
      const override = arcOverride(arc);
      if (override !== undefined)
        return [{ outcome: 'overridden', evidence: { ...evidence, ...override, disposition: 'none' } }];
    }
    return [{ outcome: found.result, evidence }];
  },
});

/** What an aggregate report says about the record (RFC 9990), and to whom it goes; addresses that fit, whole. */
function published(record: DmarcRecord): Record<string, string> {
  const tags: Record<string, string> = {
    p: record.policy,
    adkim: record.strictDkim ? 's' : 'r',
    aspf: record.strictSpf ? 's' : 'r',
  };
  if (record.subdomainPolicy !== undefined) tags.sp = record.subdomainPolicy;
  if (record.nonexistentPolicy !== undefined) tags.np = record.nonexistentPolicy;
  let rua = '';
  for (const uri of record.aggregateReports)
    if (rua.length + uri.length < longestReports) rua += rua === '' ? uri : ` ${uri}`;
  if (rua !== '') tags.rua = rua;
  return tags;
}

/** Of a chain that names somebody else nobody waits for the keys. */
const mayOverride = (sealers: readonly string[], trusted: readonly string[]): boolean =>
  sealers.length > 0 && trusted.length > 0 && sealers.every((sealer) => isBelowAny(sealer, trusted));

/**
 * A valid chain overrides a failure where every one of its sealers is trusted and the first of them saw DMARC pass (RFC 8617 §7.2.1). `override` is
 * the reason a report names: local_policy (RFC 7489, appendix C).
 */
function arcOverride(arc: ArcResult): Record<string, string> | undefined {
  const sealers = arc.sets.map(({ sealDomain }) => sealDomain);
  const [oldest] = arc.sets;
  if (arc.result !== 'pass' || oldest === undefined) return undefined;
  if (!/(^|;)\s*dmarc\s*=\s*pass\b/i.test(oldest.authenticationResults)) return undefined;
  return {
    override: 'local_policy',
    override_comment: `arc=pass ${sealers.map((name, at) => `as[${at + 1}].d=${name}`).join(' ')}`,
  };
}
