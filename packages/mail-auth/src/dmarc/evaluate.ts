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

/** A domain that may vouch for the author's. */
export interface DmarcIdentity<R extends string> {
  readonly domain: string;
  /** Asked for only where the domain is aligned, so that nobody waits for one that cannot count. Late = temperror. */
  readonly result: R | (() => Promise<R>);
}

export interface DmarcQuestion {
  readonly author: AuthorDomains;
  /** The MAIL FROM check; with a null reverse-path the HELO check in its place. */
  readonly spf: DmarcIdentity<SpfResult['result']> | undefined;
  readonly dkim: readonly DmarcIdentity<DkimResult['result']>[];
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
  /** What a fail would have come to; unknown where the record could not be asked for. */
  readonly atStake: DmarcPolicy | 'unknown';
  readonly testing: boolean;
  /** The domain of the aligned pass, undefined without one. */
  readonly alignedSpf: string | undefined;
  readonly alignedDkim: string | undefined;
  readonly record: DmarcRecord | undefined;
  readonly reason: string | undefined;
}

const MAX_AUTHORS = 10;
const MAX_IDENTIFIERS = 10;
const milder = { none: 'none', quarantine: 'none', reject: 'quarantine' } as const;

export async function evaluateDmarc(question: DmarcQuestion, resolver: Resolver): Promise<DmarcResult> {
  const { domains, fields, truncated } = question.author;
  const [only] = domains;
  if (only === undefined) return without('permerror', '', fields === 0 ? 'no From field' : 'no author domain');
  if (truncated || domains.length > MAX_AUTHORS) return without('permerror', only, 'too many author domains');
  const walker = new TreeWalker(resolver);
  const results = await Promise.all(domains.map((domain) => evaluateDomain(domain, question, walker, resolver)));
  // With several authors the strictest outcome counts (RFC 9989 §5.3.1 leaves it to the receiver).
  return results.reduce((strictest, result) => (gravityOf(result) > gravityOf(strictest) ? result : strictest));
}

/** What refuses goes before what may have to be asked again, and that before what lets pass. */
function gravityOf({ disposition, result, atStake }: DmarcResult): number {
  if (disposition !== 'none') return disposition === 'reject' ? 30 : 20;
  if (result === 'temperror' && atStake !== 'none') return 10;
  return ['pass', 'none', 'permerror', 'temperror', 'fail'].indexOf(result);
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
  const atStake = record.testing ? milder[published] : published;
  return {
    result,
    domain,
    organizationalDomain: aligned.organizationalDomain,
    policyDomain,
    policy: published,
    policySource: source,
    disposition: result !== 'fail' ? 'none' : atStake,
    atStake,
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
    atStake: result === 'temperror' ? 'unknown' : 'none',
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

type Standing = { readonly kind: 'aligned' | 'foreign' } | { readonly kind: 'trouble'; readonly reason: string };
const foreign: Standing = { kind: 'foreign' };
const counting: ReadonlySet<string> = new Set(['pass', 'temperror']);

/** All that could be aligned is asked at the same time, and nothing else is waited for. */
async function findAlignment(
  domain: string,
  { spf, dkim }: DmarcQuestion,
  record: DmarcRecord,
  walker: TreeWalker,
): Promise<Alignment> {
  let organizationalDomain: string | undefined;
  const standing = async (identifier: string, strict: boolean): Promise<Standing> => {
    if (identifier === domain) return { kind: 'aligned' };
    if (strict || identifier === '' || !shareLastLabel(identifier, domain)) return foreign;
    const own = await walker.walk(domain);
    if (own.kind === 'trouble') return own;
    organizationalDomain = own.organizationalDomain;
    // Its Organizational Domain is above it: whoever is not below ours is not asked about.
    if (identifier !== organizationalDomain && !identifier.endsWith(`.${organizationalDomain}`)) return foreign;
    const other = await walker.walk(identifier);
    if (other.kind === 'trouble') return other;
    return other.organizationalDomain === organizationalDomain ? { kind: 'aligned' } : foreign;
  };
  const settle = async (identity: DmarcIdentity<string>, strict: boolean, what: string): Promise<Settled> => {
    const { domain: name, result } = identity;
    if (typeof result === 'string' && !counting.has(result)) return { domain: name, outcome: 'nothing' };
    const found = await standing(name, strict);
    if (found.kind === 'foreign') return { domain: name, outcome: 'nothing' };
    if (found.kind === 'trouble') return { domain: name, outcome: 'uncertain', reason: found.reason };
    const known = typeof result === 'string' ? result : await result();
    if (known === 'temperror') return { domain: name, outcome: 'uncertain', reason: `${what} temperror` };
    return { domain: name, outcome: known === 'pass' ? 'pass' : 'nothing' };
  };
  const [bySpf, byDkim] = await Promise.all([
    spf === undefined ? undefined : settle(spf, record.strictSpf, 'SPF'),
    Promise.all(nearest(dkim, domain).map((identity) => settle(identity, record.strictDkim, 'DKIM'))),
  ]);
  const uncertain = [...(bySpf === undefined ? [] : [bySpf]), ...byDkim].find((one) => one.outcome === 'uncertain');
  return {
    spf: bySpf?.outcome === 'pass' ? bySpf.domain : undefined,
    dkim: byDkim.find(({ outcome }) => outcome === 'pass')?.domain,
    organizationalDomain,
    uncertain: uncertain?.reason,
  };
}

interface Settled {
  readonly domain: string;
  readonly outcome: 'pass' | 'uncertain' | 'nothing';
  readonly reason?: string;
}

/** Those that could be aligned, the author's own domain first; so that many others do not crowd them out. */
function nearest<I extends DmarcIdentity<string>>(identities: readonly I[], domain: string): readonly I[] {
  const own = identities.filter((identity) => identity.domain === domain);
  const others = identities.filter((one) => one.domain !== domain && shareLastLabel(one.domain, domain));
  return [...own, ...others].slice(0, MAX_IDENTIFIERS);
}

/** Domains under different top-level labels never share an Organizational Domain: no question needed. */
function shareLastLabel(a: string, b: string): boolean {
  return a.slice(a.lastIndexOf('.') + 1) === b.slice(b.lastIndexOf('.') + 1);
}
