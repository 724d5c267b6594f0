/**
 * DMARC: is the author's domain backed by an aligned SPF or DKIM pass, and what does the domain ask for when not?
 * RFC 9989, with the records of RFC 7489. `policy` is what is published, `disposition` what follows here: none on a
 * pass, one step milder with t=y. Trouble in DNS that could have turned a fail into a pass is temperror, so
 * that nobody's mail is refused for good because of it. Does not act.
 */
import { isAbsent, type Resolver } from '@postern/dns';
import type { DkimResult } from '../dkim/verify.js';
import type { SpfResult } from '../spf/result.js';
import type { AuthorDomains } from './author-domain.js';
import type { DmarcPolicy, DmarcRecord } from './record.js';
import { TreeWalker } from './tree-walk.js';

export interface DmarcQuestion {
  readonly author: AuthorDomains;
  /** The MAIL FROM check; with a null reverse-path the HELO check in its place. */
  readonly spf: Pick<SpfResult, 'result' | 'domain'> | undefined;
  readonly dkim: readonly Pick<DkimResult, 'result' | 'domain'>[];
}

export interface DmarcResult {
  readonly result: 'pass' | 'fail' | 'none' | 'temperror' | 'permerror';
  /** The author's domain; '' when there is none. */
  readonly domain: string;
  readonly organizationalDomain: string | undefined;
  /** Where the record stands; undefined without one. */
  readonly policyDomain: string | undefined;
  readonly policy: DmarcPolicy;
  /** Which tag the policy came from. */
  readonly policySource: 'p' | 'sp' | 'np' | undefined;
  readonly disposition: DmarcPolicy;
  readonly testing: boolean;
  /** The domain of the aligned pass, undefined without one. */
  readonly alignedSpf: string | undefined;
  readonly alignedDkim: string | undefined;
  readonly record: DmarcRecord | undefined;
  readonly reason: string | undefined;
}

const MAX_AUTHORS = 4;
const MAX_IDENTIFIERS = 10;
const milder = { none: 'none', quarantine: 'none', reject: 'quarantine' } as const;

export async function evaluateDmarc(question: DmarcQuestion, resolver: Resolver): Promise<DmarcResult> {
  const { domains, fields, unreadable } = question.author;
  const [only, ...others] = domains;
  if (only === undefined) return without('permerror', '', fields === 0 ? 'no From field' : 'no author domain');
  if (unreadable > 0) return without('permerror', only, 'an author without a readable domain');
  if (others.length >= MAX_AUTHORS) return without('permerror', only, 'too many author domains');
  const walker = new TreeWalker(resolver);
  const results = await Promise.all(domains.map((domain) => evaluateDomain(domain, question, walker, resolver)));
  // With several authors the strictest outcome counts (RFC 9989 §5.3.1 leaves it to the receiver).
  return results.reduce((strictest, result) => (gravityOf(result) > gravityOf(strictest) ? result : strictest));
}

function gravityOf({ disposition, result }: DmarcResult): number {
  const outcome = ['pass', 'none', 'permerror', 'temperror', 'fail'].indexOf(result);
  return ['none', 'quarantine', 'reject'].indexOf(disposition) * 10 + outcome;
}

async function evaluateDomain(
  domain: string,
  question: DmarcQuestion,
  walker: TreeWalker,
  resolver: Resolver,
): Promise<DmarcResult> {
  const policy = await findPolicy(domain, walker, resolver);
  if (policy.kind === 'trouble') return without('temperror', domain, policy.reason);
  if (policy.kind === 'absent') return without('none', domain, undefined);
  const { record, policyDomain, published, source } = policy;
  const aligned = await findAlignment(domain, question, record, walker);
  const passes = aligned.spf !== undefined || aligned.dkim !== undefined;
  const result = passes ? 'pass' : aligned.uncertain === undefined ? 'fail' : 'temperror';
  return {
    result,
    domain,
    organizationalDomain: aligned.organizationalDomain,
    policyDomain,
    policy: published,
    policySource: source,
    disposition: result !== 'fail' ? 'none' : record.testing ? milder[published] : published,
    testing: record.testing,
    alignedSpf: aligned.spf,
    alignedDkim: aligned.dkim,
    record,
    reason: passes ? undefined : (aligned.uncertain ?? 'no aligned pass'),
  };
}

function without(result: 'none' | 'temperror' | 'permerror', domain: string, reason: string | undefined): DmarcResult {
  return {
    result,
    domain,
    organizationalDomain: undefined,
    policyDomain: undefined,
    policy: 'none',
    policySource: undefined,
    disposition: 'none',
    testing: false,
    alignedSpf: undefined,
    alignedDkim: undefined,
    record: undefined,
    reason,
  };
}

type Found =
  | {
      readonly kind: 'policy';
      readonly record: DmarcRecord;
      readonly policyDomain: string;
      readonly published: DmarcPolicy;
      readonly source: 'p' | 'sp' | 'np';
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'trouble'; readonly reason: string };

/** RFC 9989 §4.10.1: the author's domain, else its Organizational Domain, else the public suffix above. */
async function findPolicy(domain: string, walker: TreeWalker, resolver: Resolver): Promise<Found> {
  const own = await walker.recordAt(domain);
  if (own.kind === 'trouble') return own;
  if (own.kind === 'record') {
    return { kind: 'policy', record: own.record, policyDomain: domain, published: own.record.policy, source: 'p' };
  }
  const walk = await walker.walk(domain);
  if (walk.kind === 'trouble') return walk;
  const found =
    walk.records.find((candidate) => candidate.domain === walk.organizationalDomain) ??
    walk.records.find(({ record }) => record.publicSuffix === 'y');
  if (found === undefined) return { kind: 'absent' };
  const { record, domain: policyDomain } = found;
  const { policy, subdomainPolicy, nonexistentPolicy } = record;
  if (nonexistentPolicy !== undefined && !(await exists(domain, resolver))) {
    return { kind: 'policy', record, policyDomain, published: nonexistentPolicy, source: 'np' };
  }
  if (subdomainPolicy !== undefined) {
    return { kind: 'policy', record, policyDomain, published: subdomainPolicy, source: 'sp' };
  }
  return { kind: 'policy', record, policyDomain, published: policy, source: 'p' };
}

/** RFC 9989 §3.2.13: without A, AAAA and MX. What could not be asked counts as existing. */
async function exists(domain: string, resolver: Resolver): Promise<boolean> {
  const answers = await Promise.all([
    resolver.query(domain, 'A'),
    resolver.query(domain, 'AAAA'),
    resolver.query(domain, 'MX'),
  ]);
  return !answers.every(isAbsent);
}

interface Alignment {
  readonly spf: string | undefined;
  readonly dkim: string | undefined;
  readonly organizationalDomain: string | undefined;
  /** Why the absence of alignment is not certain. */
  readonly uncertain: string | undefined;
}

async function findAlignment(
  domain: string,
  { spf, dkim }: DmarcQuestion,
  record: DmarcRecord,
  walker: TreeWalker,
): Promise<Alignment> {
  let uncertain: string | undefined;
  let organizationalDomain: string | undefined;
  const isAligned = async (identifier: string, strict: boolean): Promise<boolean> => {
    if (identifier === domain) return true;
    if (strict || identifier === '' || !shareLastLabel(identifier, domain)) return false;
    const own = await walker.walk(domain);
    if (own.kind === 'walk') organizationalDomain = own.organizationalDomain;
    const other = await walker.walk(identifier);
    if (own.kind === 'trouble' || other.kind === 'trouble') {
      uncertain ??= own.kind === 'trouble' ? own.reason : other.kind === 'trouble' ? other.reason : undefined;
      return false;
    }
    return own.organizationalDomain === other.organizationalDomain;
  };
  let alignedSpf: string | undefined;
  if (spf?.result === 'pass' && (await isAligned(spf.domain, record.strictSpf))) alignedSpf = spf.domain;
  let alignedDkim: string | undefined;
  for (const identifier of domainsWith(dkim, 'pass')) {
    if (!(await isAligned(identifier, record.strictDkim))) continue;
    alignedDkim = identifier;
    break;
  }
  if (alignedSpf === undefined && alignedDkim === undefined) {
    // Only an identity that would be aligned could have made the difference.
    if (spf?.result === 'temperror' && (await isAligned(spf.domain, record.strictSpf))) uncertain ??= 'SPF temperror';
    for (const identifier of domainsWith(dkim, 'temperror')) {
      if (uncertain === undefined && (await isAligned(identifier, record.strictDkim))) uncertain = 'DKIM temperror';
    }
  }
  return { spf: alignedSpf, dkim: alignedDkim, organizationalDomain, uncertain };
}

function domainsWith(dkim: DmarcQuestion['dkim'], result: DkimResult['result']): Set<string> {
  const domains = new Set<string>();
  for (const one of dkim.slice(0, MAX_IDENTIFIERS)) if (one.result === result) domains.add(one.domain);
  return domains;
}

/** Domains under different top-level labels never share an Organizational Domain: no question needed. */
function shareLastLabel(a: string, b: string): boolean {
  return a.slice(a.lastIndexOf('.') + 1) === b.slice(b.lastIndexOf('.') + 1);
}
