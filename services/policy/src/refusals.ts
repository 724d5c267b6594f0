/**
 * What a failing outcome of each check says to the client: code, enhanced code, text. A temporary outcome is never a 5xx (invariant 4). Whether
 * it is said at all is configuration (`actions.ts`). RFC 7372 for the enhanced codes of authentication, RFC 7505 for null MX.
 */
import { Action, type Finding } from '@postern/proto/policy/v1/policy_service';
import type { CheckName } from './check.js';
import type { Verdictable } from './verdict/decision.js';

type Refusal = (finding: Finding) => Verdictable | undefined;

const printable = (text: string): string => text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);

function reject(code: number, enhanced: string, text: string): Verdictable {
  return { action: Action.REJECT, code, enhanced, text: printable(text) };
}

function tempfail(code: number, enhanced: string, text: string): Verdictable {
  return { action: Action.TEMPFAIL, code, enhanced, text: printable(text) };
}

const of =
  (table: Readonly<Record<string, Verdictable>>): Refusal =>
  ({ outcome }) =>
    Object.hasOwn(table, outcome) ? table[outcome] : undefined;

const mostNamedLists = 3;

const dnsbl: Refusal = ({ outcome, evidence }) => {
  if (outcome !== 'listed') return undefined;
  const zones = (evidence.zones ?? '').split(' ');
  // Where weights add up, each of them has to be left.
  const named = zones.slice(0, mostNamedLists).join(', ');
  const more = zones.length > mostNamedLists ? ` and ${zones.length - mostNamedLists} more` : '';
  const reason = (evidence.texts ?? '').split('\n').find((text) => text !== '');
  return reject(
    554,
    '5.7.1',
    `Client address is listed by ${named}${more}${reason === undefined ? '' : `: ${reason}`}`,
  );
};

/** Said only where the settings give these outcomes a consequence. */
const milderSpf = new Map([
  ['softfail', 'does not name the client (softfail)'],
  ['neutral', 'says nothing about the client'],
  ['none', 'does not exist'],
  ['permerror', 'cannot be read'],
]);

const spf: Refusal = ({ outcome, evidence }) => {
  const domain = printable(evidence.domain ?? '');
  if (outcome === 'temperror') return tempfail(451, '4.7.24', `SPF of ${domain} cannot be checked now`);
  const milder = milderSpf.get(outcome);
  if (milder !== undefined) return reject(550, '5.7.23', `SPF of ${domain === '' ? 'the sender' : domain} ${milder}`);
  if (outcome !== 'fail') return undefined;
  const said = evidence.explanation === undefined ? '' : `; ${domain} explains: ${printable(evidence.explanation)}`;
  const text = `SPF: client is not allowed to send for ${domain}${said}`;
  return { action: Action.REJECT, code: 550, enhanced: '5.7.23', text };
};

const dkim: Refusal = ({ outcome }) => {
  if (outcome === 'pass' || outcome === 'none') return undefined;
  if (outcome === 'temperror') return tempfail(451, '4.7.20', 'DKIM signatures cannot be checked now');
  return reject(550, '5.7.20', 'No DKIM signature of the message is valid');
};

const dmarc: Refusal = ({ outcome, evidence }) => {
  const domain = printable(evidence.domain ?? '');
  if (outcome === 'permerror')
    return reject(550, '5.7.1', `From cannot be judged by DMARC: ${evidence.reason ?? 'no author domain'}`);
  if (outcome === 'temperror' && evidence.at_stake !== 'none')
    return tempfail(451, '4.7.1', `DMARC of ${domain === '' ? 'the author' : domain} cannot be checked now`);
  if (outcome !== 'fail') return undefined;
  if (evidence.disposition === 'quarantine')
    return { action: Action.QUARANTINE, code: 0, enhanced: '', text: `DMARC policy of ${domain}` };
  return evidence.disposition === 'reject'
    ? reject(550, '5.7.1', `Refused by the DMARC policy of ${domain}`)
    : undefined;
};

const recipients = of({
  unknown: reject(550, '5.1.1', 'No such recipient here'),
  disabled: reject(550, '5.2.1', 'Mailbox is disabled'),
  expansion_failed: tempfail(451, '4.2.4', 'Recipient list cannot be expanded'),
  unavailable: tempfail(451, '4.3.0', 'Recipients cannot be verified right now'),
});

const ptr: Refusal = ({ outcome, evidence }) => {
  if (outcome === 'missing') return reject(550, '5.7.25', 'Client address has no name in reverse DNS');
  if (outcome === 'temperror') return tempfail(451, '4.7.25', 'Reverse DNS of the client cannot be looked up now');
  if (outcome !== 'unconfirmed' || evidence.needed !== 'confirmed') return undefined;
  return reject(550, '5.7.25', `Reverse DNS name ${evidence.name} does not lead back to the client address`);
};

const greylist: Refusal = ({ outcome, evidence }) => {
  if (outcome === 'unavailable_defer') return tempfail(451, '4.3.0', 'Please try again later');
  if (outcome !== 'new' && outcome !== 'early') return undefined;
  return tempfail(451, '4.7.1', `Greylisted, please try again in ${evidence.wait ?? '60'} seconds`);
};

const lists: Refusal = ({ outcome, evidence }) =>
  outcome === 'blocked'
    ? reject(550, '5.7.1', `${evidence.by === 'client' ? 'Client address' : 'Sender'} is on a block list here`)
    : undefined;

const refusals: Readonly<Record<CheckName, Refusal>> = {
  dnsbl,
  dnswl: () => undefined,
  spf,
  dkim,
  domainkeys: of({
    fail: reject(550, '5.7.20', 'The DomainKeys signature of the message is not valid'),
    permerror: reject(550, '5.7.20', 'The DomainKeys signature of the message cannot be verified'),
    policy: reject(550, '5.7.20', 'The DomainKeys key of the message is not accepted'),
    temperror: tempfail(451, '4.7.20', 'The DomainKeys signature cannot be checked now'),
  }),
  dmarc,
  arc: of({ fail: reject(550, '5.7.29', 'The ARC chain of the message is broken') }),
  recipients,
  ptr,
  greylist,
  greylist_signed: greylist,
  lists,
  lists_from: lists,
  lists_user: lists,
  lists_user_from: lists,
  helo: of({
    malformed: reject(550, '5.7.1', 'Greeting is not a host name'),
    bare: reject(550, '5.7.1', 'Greeting is not a fully qualified name'),
    ours: reject(550, '5.7.1', 'Greeting claims to be this host'),
    foreign_literal: reject(550, '5.7.1', 'Greeting is not the address of the client'),
    unresolved: reject(550, '5.7.1', 'Greeting is a name that does not exist'),
    temperror: tempfail(451, '4.4.3', 'Greeting cannot be looked up now'),
  }),
  sender: of({
    null_mx: reject(550, '5.7.27', 'Sender domain says that it never receives mail'),
    missing: reject(550, '5.1.8', 'Sender domain has neither MX nor address'),
    invalid: reject(550, '5.1.8', 'Sender domain is not a domain name'),
    temperror: tempfail(451, '4.1.8', 'Sender domain cannot be looked up now'),
  }),
  country: of({ blocked: reject(554, '5.7.1', 'Mail from the country of the client address is not accepted') }),
  callforward: of({
    unknown: reject(550, '5.1.1', 'No such recipient at the next hop'),
    unavailable: tempfail(451, '4.4.1', 'Recipients cannot be verified right now'),
  }),
  identity: of({
    foreign: reject(550, '5.7.1', 'Sender address does not belong to this login'),
    unavailable: tempfail(451, '4.3.0', 'Sender address cannot be verified right now'),
  }),
  author: of({
    foreign: reject(550, '5.7.1', 'From does not belong to this login'),
    missing: reject(550, '5.7.1', 'Message has no From'),
    unavailable: tempfail(451, '4.3.0', 'From cannot be verified right now'),
  }),
  uribl: ({ outcome, evidence }) =>
    outcome === 'listed'
      ? reject(550, '5.7.1', `Message names a domain listed by ${evidence.zones}: ${evidence.domains}`)
      : undefined,
};

export const refusalOf = (check: CheckName, finding: Finding): Verdictable | undefined => refusals[check](finding);

/** The words of a finding that came with the request, of whatever check. */
export function refusalText(finding: Finding): string | undefined {
  const known = Object.entries(refusals).find(([name]) => name === finding.check);
  return known?.[1](finding)?.text;
}
