/**
 * The facts of a request in the words of rules. Made once per evaluation and event; what a recipient adds is laid over it. What this release
 * does not find out (score, virus) reads as empty.
 */
import type { Clock } from '@postern/clock';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import type { Finding, RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import {
  type Decision,
  type Facts,
  isBinding,
  lateEvents,
  type Party,
  type RuleChoice,
  rulesBetween,
} from '@postern/rules';
import { lastFinding } from '../check.js';
import type { CheckTools } from '../check-tools.js';
import { domainOf, localPartOf, type Subject } from '../subject.js';
import { userBehind } from './recipient-user.js';

const split = (text: string | undefined, separator: string): string[] =>
  text === undefined || text === '' ? [] : text.split(separator);

export interface FactSources {
  readonly clock: Clock;
  readonly tools: Pick<CheckTools, 'asn'>;
}

type CheckFacts = Pick<Facts, 'dnsbl' | 'ptr' | 'country' | 'spf' | 'uribl'>;

const early: ReadonlySet<string> = new Set(['dnsbl', 'ptr', 'country', 'spf']);
const nothingNamed: ReadonlySet<string> = new Set();

/** What checks of client and sender found, and of those of the content what may differ between recipients. */
function checkFacts(find: (check: string) => Finding | undefined, named: ReadonlySet<string>): CheckFacts {
  const dnsbl = find('dnsbl');
  const listed = dnsbl?.outcome === 'listed';
  const ptr = find('ptr');
  const uribl = named.has('uribl') ? find('uribl') : undefined;
  return {
    dnsbl: {
      listed,
      zones: listed ? split(dnsbl?.evidence.zones, ' ') : [],
      texts: listed ? split(dnsbl?.evidence.texts, '\n') : [],
    },
    ptr: ptr?.outcome === 'confirmed' ? ptr.evidence.name : '',
    country: find('country')?.evidence.country ?? '',
    spf: { result: find('spf')?.outcome },
    uribl: { domains: split(uribl?.evidence.domains, ' '), zones: split(uribl?.evidence.zones, ' ') },
  };
}

/** The outcomes of checks that conditions name, of the session or message and over them those of one recipient. */
function outcomesOf(findings: readonly Finding[], named: ReadonlySet<string>, address: string): Facts['check'] {
  if (named.size === 0) return undefined;
  const common: Record<string, string> = {};
  const own: Record<string, string> = {};
  for (const { check, recipient, outcome } of findings) {
    if (!named.has(check)) continue;
    if (recipient === '') common[check] = outcome;
    else if (recipient === address) own[check] = outcome;
  }
  return { ...common, ...own };
}

/**
 * The same where something was found for one recipient alone, its checks asked or made by settings of its own domain; undefined = nothing was. `named`:
 * the checks that conditions ask about.
 */
export function ownCheckFacts(
  findings: readonly Finding[],
  address: string,
  named: ReadonlySet<string>,
): (CheckFacts & Pick<Facts, 'check'>) | undefined {
  const own = findings.filter(
    ({ check, recipient }) => recipient === address && (early.has(check) || named.has(check)),
  );
  if (own.length === 0) return undefined;
  const find = (check: string): Finding | undefined =>
    own.findLast((finding) => finding.check === check) ?? lastFinding(findings, check);
  return { ...checkFacts(find, named), check: outcomesOf(findings, named, address) };
}

/** `named`: the checks that conditions ask about. */
export function sessionFacts(
  { facts, origin, findings }: Subject,
  { clock, tools }: FactSources,
  named: ReadonlySet<string> = nothingNamed,
): Facts {
  const certificate = facts.clientCertificate?.verified === true ? facts.clientCertificate : undefined;
  return {
    client: {
      address: origin.clientAddress,
      port: origin.clientPort,
      certificate: certificate?.subject ?? '',
      certificateNames: certificate?.names ?? [],
      certificateFingerprint: certificate?.fingerprint ?? '',
    },
    server: { address: facts.localAddress, port: facts.localPort, proxiedName: facts.proxyAuthority },
    listener: { name: origin.listener, role: facts.listenerRole },
    ...checkFacts((check) => lastFinding(findings, check), named),
    check: outcomesOf(findings, named, ''),
    helo: origin.helo,
    asn: tools.asn.of(origin.clientAddress),
    esmtp: facts.esmtp,
    tls: { active: origin.tlsVersion !== '', version: origin.tlsVersion, cipher: origin.tlsCipher },
    auth: { user: origin.authenticatedUser, mechanism: facts.authMechanism },
    submittingTenant: facts.submittingTenant,
    sender: {
      address: facts.reversePath,
      spelled: facts.reversePath,
      domain: facts.reversePath === '' ? '' : domainOf(facts.reversePath),
      user: localPartOf(facts.reversePath),
    },
    message: { declaredSize: facts.declaredSize },
    session: { messages: facts.sessionMessages, bytes: facts.sessionBytes, errors: facts.sessionErrors },
    time: { now: new Date(clock.now()) },
  };
}

const partyOf = (findings: readonly Finding[], { tenant, address }: RecipientFacts): Party => ({
  ...{ tenant, address },
  user: userBehind(findings, address),
});

/** Rules that speak about a recipient: of its tenant, its domain and of itself where it is ours, and those of who submits the mail. */
export function rulesOf(
  { snapshot, facts, findings }: Pick<Subject, 'snapshot' | 'facts' | 'findings'>,
  recipient: RecipientFacts,
): RuleChoice {
  const sender = { tenant: facts.submittingTenant, address: facts.origin?.authenticatedUser ?? '' };
  const isLocal = recipient.recipientClass === RecipientClass.LOCAL;
  return rulesBetween(snapshot.rules, sender, partyOf(findings, recipient), isLocal);
}

/** Its rules about connection, greeting and sender that nobody has asked: which tenant the mail is for is known now. */
export function lateRulesOf(
  { snapshot, facts, origin, findings }: Subject,
  recipient: RecipientFacts,
): RuleChoice | undefined {
  if (recipient.recipientClass !== RecipientClass.LOCAL || !lateEvents.some((event) => snapshot.rules.has(event)))
    return undefined;
  const sender = { tenant: facts.submittingTenant, address: origin.authenticatedUser };
  return snapshot.rules.late(sender, partyOf(findings, recipient));
}

/** Whether a decision holds for the recipient. */
export function holdsFor(decided: Decision, { facts, findings }: Subject, recipient: RecipientFacts): boolean {
  const isOwn = facts.submittingTenant === '' || recipient.recipientClass !== RecipientClass.LOCAL;
  return isOwn || isBinding(decided, partyOf(findings, recipient));
}

export function withRecipient(facts: Facts, recipient: RecipientFacts, count: number): Facts {
  const { address, recipientClass } = recipient;
  return {
    ...facts,
    recipient: {
      address,
      spelled: address,
      domain: domainOf(address),
      user: localPartOf(address),
      routing: recipientClass === RecipientClass.LOCAL ? 'local' : 'relay',
    },
    recipients: { count },
  };
}

export function withHeaders(facts: Facts, { content }: Subject): Facts {
  if (content === undefined) return facts;
  const { fields } = content;
  return {
    ...facts,
    headers: fields.map(({ name, value }) => [name, value] as const),
    received: { count: fields.reduce((count, { key }) => count + (key === 'received' ? 1 : 0), 0) },
  };
}

export function withBody(facts: Facts, { content, facts: session, findings }: Subject): Facts {
  const mime = content?.mime;
  const dkim = lastFinding(findings, 'dkim');
  const dmarc = lastFinding(findings, 'dmarc');
  return {
    ...facts,
    message: {
      declaredSize: session.declaredSize,
      size: content?.size,
      parts: mime?.parts,
      types: mime?.types,
      attachments: mime?.attachments,
      largestAttachment: mime?.largestAttachment,
      incomplete: mime?.incomplete !== undefined,
    },
    dkim: { result: dkim?.outcome, domains: split(dkim?.evidence.domains, ' ') },
    dmarc: { result: dmarc?.outcome, policy: dmarc?.evidence.policy },
    arc: { result: lastFinding(findings, 'arc')?.outcome },
  };
}
