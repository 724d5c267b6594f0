/**
 * domainkeys: does the DomainKeys signature of the message hold? RFC 4870. Legacy: it knows rsa-sha1 only, so a pass is written down and counts for
 * nothing else. Verifying goes on while the body streams by; here only the end is awaited.
 */
import { defineCheck } from '../check.js';

export const domainkeys = defineCheck({
  name: 'domainkeys',
  settings: 'domainkeys',
  doc: 'Does the DomainKeys signature of the message hold? RFC 4870.',
  stage: 'body',
  outcomes: ['none', 'pass', 'fail', 'neutral', 'policy', 'temperror', 'permerror'],
  late: 'temperror',
  timeoutMs: 5_000,
  applies: ({ isOutsider, content }) => isOutsider && content !== undefined,
  async evaluate(_context, { content }) {
    const found = await content?.domainkeys();
    if (found === undefined) return [{ outcome: 'none', evidence: {} }];
    const { result, domain, selector, testing, reason } = found;
    const evidence: Record<string, string> = domain === '' ? {} : { domain, selector };
    if (testing) evidence.testing = 'true';
    if (reason !== undefined) evidence.reason = reason;
    return [{ outcome: result, evidence }];
  },
});
