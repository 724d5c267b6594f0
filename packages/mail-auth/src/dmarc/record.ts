/** One DMARC policy record. RFC 9989 §4.7, with what RFC 7489 senders still publish (pct, rf, ri) ignored. */
import { parseTagList, splitColons } from '../dkim/tag-list.js';

export type DmarcPolicy = 'none' | 'quarantine' | 'reject';

export interface DmarcRecord {
  readonly text: string;
  readonly policy: DmarcPolicy;
  readonly subdomainPolicy: DmarcPolicy | undefined;
  readonly nonexistentPolicy: DmarcPolicy | undefined;
  readonly strictDkim: boolean;
  readonly strictSpf: boolean;
  /** t=y: the policy is to be applied one step milder. */
  readonly testing: boolean;
  readonly publicSuffix: 'y' | 'n' | 'u';
  /** rua= and ruf=, as URIs. */
  readonly aggregateReports: readonly string[];
  readonly failureReports: readonly string[];
  readonly failureOptions: readonly string[];
}

const MAX_URIS = 10;

/** Undefined: no DMARC record, or one that has to be treated as absent. */
export function parseDmarcRecord(text: string): DmarcRecord | undefined {
  if (!/^v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text)) return undefined;
  const tags = parseTagList(text);
  if (tags === undefined) return undefined;
  const aggregateReports = uris(tags.get('rua'));
  const policies = ['p', 'sp', 'np'].map((tag) => policyOf(tags.get(tag)));
  // RFC 9989 §4.7: a policy that cannot be read counts as none when somebody wants reports, else there is no record.
  const damaged = policies.includes(null);
  if (damaged && aggregateReports.length === 0) return undefined;
  const [policy, subdomainPolicy, nonexistentPolicy] = damaged ? [] : policies;
  return {
    text,
    policy: policy ?? 'none',
    subdomainPolicy: subdomainPolicy ?? undefined,
    nonexistentPolicy: nonexistentPolicy ?? undefined,
    strictDkim: isSet(tags.get('adkim'), 's'),
    strictSpf: isSet(tags.get('aspf'), 's'),
    testing: isSet(tags.get('t'), 'y'),
    publicSuffix: isSet(tags.get('psd'), 'y') ? 'y' : isSet(tags.get('psd'), 'n') ? 'n' : 'u',
    aggregateReports,
    failureReports: uris(tags.get('ruf')),
    failureOptions: splitColons(tags.get('fo') ?? '0'),
  };
}

function isSet(value: string | undefined, wanted: string): boolean {
  return value?.toLowerCase() === wanted;
}

function policyOf(value: string | undefined): DmarcPolicy | undefined | null {
  if (value === undefined) return undefined;
  const lower = value.toLowerCase();
  return lower === 'none' || lower === 'quarantine' || lower === 'reject' ? lower : null;
}

function uris(value: string | undefined): string[] {
  if (value === undefined) return [];
  return value
    .split(',')
    .map((uri) => uri.trim())
    .filter((uri) => /^[a-z][a-z0-9+.-]*:\S+$/i.test(uri))
    .slice(0, MAX_URIS);
}
