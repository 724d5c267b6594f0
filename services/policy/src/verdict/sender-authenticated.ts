/**
 * May a DSN go to the reverse-path? Only where somebody proved to send for it: a login, an SPF pass of the reverse-path, or a DKIM pass of
 * its domain or the author's (design.md, step 5). Relaxed: a domain above or below counts; siblings only where DMARC found them aligned.
 */
import { authorDomains } from '@postern/mail-auth';
import { lastFinding } from '../check.js';
import { spfResultOf } from '../checks/spf.js';
import { domainOf, type Subject } from '../subject.js';

export function isSenderAuthenticated({ origin, facts, findings, content }: Subject): boolean {
  if (origin.authenticatedUser !== '') return true;
  if (facts.reversePath === '') return false;
  const sender = domainOf(facts.reversePath);
  const spf = spfResultOf(findings);
  if (spf?.result === 'pass' && spf.identity === 'mailfrom' && isAligned(spf.domain, sender)) return true;
  const signed = lastFinding(findings, 'dkim')?.evidence.domains ?? '';
  const dmarc = lastFinding(findings, 'dmarc');
  if (dmarc?.outcome === 'pass' && dmarc.evidence.aligned_dkim !== undefined) return true;
  if (signed === '') return false;
  const claimed = [sender, ...(content === undefined ? [] : authorDomains(content.fields).domains)];
  return signed.split(' ').some((domain) => claimed.some((name) => isAligned(domain, name)));
}

function isAligned(one: string, other: string): boolean {
  if (one === other) return one !== '';
  return isBelow(one, other) || isBelow(other, one);
}

/** A name of one label is nobody's: everything is below it. */
const isBelow = (name: string, above: string): boolean => above.includes('.') && name.endsWith(`.${above}`);
