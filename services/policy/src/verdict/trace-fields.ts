/**
 * The fields we write about a stranger's message, or one whose checks a rule has run, and the removal of those written in our name. RFC 8601 §5, RFC 7208 §9. All from
 * findings, so that any pod writes the same. In the rendering: removals first, what rules edit next, ours last and therefore on top.
 */
import { type DkimResult, receivedSpf } from '@postern/mail-auth';
import {
  type AuthenticationResult,
  formatAuthenticationResults,
  type HeaderField,
  stripForgedAuthenticationResults,
} from '@postern/mail-message';
import { type HeaderEdit, HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import { lastFinding, skipped } from '../check.js';
import { spfResultOf } from '../checks/spf.js';
import { wishedChecks } from '../forced-checks.js';
import type { Subject } from '../subject.js';

/** Fields of this kind in a message may be written in our name: keys, in lower case. */
export const traceFieldNames: readonly string[] = ['authentication-results', 'received-spf'];

const prepend = (name: string, value: string): HeaderEdit => ({
  kind: HeaderEditKind.PREPEND,
  name,
  value,
  index: 0,
  behind: '',
});

export function forgedFieldEdits({ content, snapshot }: Subject): HeaderEdit[] {
  if (content === undefined) return [];
  const results = stripForgedAuthenticationResults(content.fields, snapshot.hostname).map((edit) =>
    remove(edit.name, edit.op === 'remove' ? edit.index : 0),
  );
  return [...results, ...forgedReceivedSpf(content.fields, snapshot.hostname)];
}

const remove = (name: string, index: number): HeaderEdit => ({
  kind: HeaderEditKind.REMOVE,
  name,
  value: '',
  index,
  behind: '',
});

/** Received-SPF says who wrote it in `receiver=`; one that names us, or nobody, was not written by us. Last first: removing moves the later ones. */
function forgedReceivedSpf(fields: readonly HeaderField[], hostname: string): HeaderEdit[] {
  const edits: HeaderEdit[] = [];
  let occurrence = 0;
  for (const field of fields) {
    if (field.key !== 'received-spf') continue;
    occurrence++;
    const receiver = /\breceiver\s*=\s*"?([^\s;"]+)/i.exec(field.value)?.[1]?.toLowerCase().replace(/\.$/, '');
    if (receiver === undefined || receiver === hostname.toLowerCase())
      edits.unshift(remove('Received-SPF', occurrence));
  }
  return edits;
}

export function traceFieldEdits(subject: Subject, signatures: readonly DkimResult[]): HeaderEdit[] {
  const { facts, origin, snapshot, findings, isOutsider } = subject;
  if (!isOutsider && wishedChecks(findings).size === 0) return [];
  const edits: HeaderEdit[] = [];
  const spf = spfResultOf(findings);
  if (spf !== undefined) {
    const { clientAddress, helo } = origin;
    const question = { clientAddress, helo, reversePath: facts.reversePath, receiver: snapshot.hostname };
    edits.push(prepend('Received-SPF', receivedSpf(spf, question)));
  }
  const results = [...spfResults(subject), ...dkimResults(findings, signatures), ...others(findings)];
  if (results.length > 0)
    edits.push(prepend('Authentication-Results', formatAuthenticationResults(snapshot.hostname, results)));
  return edits;
}

function spfResults({ facts, origin, findings }: Subject): AuthenticationResult[] {
  const spf = spfResultOf(findings);
  if (spf === undefined) return [];
  const isHelo = spf.identity === 'helo';
  return [
    {
      method: 'spf',
      result: spf.result,
      properties: [
        { type: 'smtp', name: isHelo ? 'helo' : 'mailfrom', value: isHelo ? origin.helo : facts.reversePath },
      ],
    },
  ];
}

function dkimResults(findings: readonly Finding[], signatures: readonly DkimResult[]): AuthenticationResult[] {
  const finding = lastFinding(findings, 'dkim');
  if (finding === undefined || finding.outcome === skipped) return [];
  if (signatures.length === 0) return [{ method: 'dkim', result: finding.outcome }];
  return signatures.map(({ result, domain, selector, algorithm, signaturePrefix, reason }) => ({
    method: 'dkim',
    result,
    ...(reason === undefined ? {} : { reason }),
    properties: (
      [
        ['d', domain],
        ['s', selector],
        ['a', algorithm],
        ['b', signaturePrefix],
      ] as const
    )
      .filter(([, value]) => value !== '')
      .map(([name, value]) => ({ type: 'header' as const, name, value })),
  }));
}

/** RFC 8601 §2.7.3. */
const iprevResults = new Map([
  ['confirmed', 'pass'],
  ['unconfirmed', 'fail'],
  ['missing', 'permerror'],
  ['temperror', 'temperror'],
]);

function others(findings: readonly Finding[]): AuthenticationResult[] {
  const results: AuthenticationResult[] = [];
  const domainkeys = lastFinding(findings, 'domainkeys');
  if (domainkeys !== undefined && domainkeys.outcome !== skipped) {
    const { domain = '' } = domainkeys.evidence;
    const properties = domain === '' ? [] : [{ type: 'header' as const, name: 'd', value: domain }];
    results.push({ method: 'domainkeys', result: domainkeys.outcome, properties });
  }
  const dmarc = lastFinding(findings, 'dmarc');
  if (dmarc !== undefined && dmarc.outcome !== skipped) {
    const { domain = '', policy = 'none', p } = dmarc.evidence;
    const overridden = dmarc.outcome === 'overridden';
    results.push({
      method: 'dmarc',
      result: overridden ? 'fail' : dmarc.outcome,
      ...(overridden ? { comment: `p=${policy}; overridden: ${dmarc.evidence.override_comment}` } : {}),
      // Without a record there is no policy to tell.
      ...(!overridden && p !== undefined ? { comment: `p=${policy}` } : {}),
      ...(domain === '' ? {} : { properties: [{ type: 'header', name: 'from', value: domain }] }),
    });
  }
  const arc = lastFinding(findings, 'arc');
  if (arc !== undefined && arc.outcome !== skipped) results.push({ method: 'arc', result: arc.outcome });
  const iprev = lastFinding(findings, 'ptr');
  const name = iprevResults.get(iprev?.outcome ?? '');
  if (name !== undefined) results.push({ method: 'iprev', result: name });
  return results;
}
