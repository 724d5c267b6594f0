/**
 * From what a check saw to what is done about it: the one place that decides (style.md, rule 6). `reject` and `mark` come from the
 * snapshot; a temporary outcome is never a 5xx (invariant 4). RFC 7372 for the enhanced codes of authentication.
 */
import { Action, type Decision, type Finding } from '@postern/proto/policy/v1/policy_service';
import type { CheckName } from './check.js';
import { decision, type Verdictable } from './verdict/decision.js';

type Consequence = (finding: Finding, rejects: boolean) => Verdictable | undefined;

const printable = (text: string): string => text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);

function reject(code: number, enhanced: string, text: string): Verdictable {
  return { action: Action.REJECT, code, enhanced, text };
}

function tempfail(code: number, enhanced: string, text: string): Verdictable {
  return { action: Action.TEMPFAIL, code, enhanced, text };
}

const dnsbl: Consequence = ({ outcome, evidence }, rejects) => {
  if (!rejects || outcome !== 'listed') return undefined;
  const [zone = ''] = (evidence.zones ?? '').split(' ');
  const [reason = ''] = (evidence.texts ?? '').split('\n');
  return reject(554, '5.7.1', printable(`Client address is listed by ${zone}${reason === '' ? '' : `: ${reason}`}`));
};

const spf: Consequence = ({ outcome, evidence }, rejects) => {
  if (!rejects) return undefined;
  const domain = printable(evidence.domain ?? '');
  if (outcome === 'temperror') return tempfail(451, '4.7.24', `SPF of ${domain} cannot be checked now`);
  if (outcome !== 'fail') return undefined;
  const explanation =
    evidence.explanation === undefined ? '' : `; ${domain} explains: ${printable(evidence.explanation)}`;
  return reject(550, '5.7.23', `SPF: client is not allowed to send for ${domain}${explanation}`);
};

const dkim: Consequence = ({ outcome }, rejects) => {
  if (!rejects || outcome === 'pass' || outcome === 'none') return undefined;
  if (outcome === 'temperror') return tempfail(451, '4.7.20', 'DKIM signatures cannot be checked now');
  return reject(550, '5.7.20', 'No DKIM signature of the message is valid');
};

const dmarc: Consequence = ({ outcome, evidence }, rejects) => {
  if (!rejects || outcome !== 'fail') return undefined;
  const domain = printable(evidence.domain ?? '');
  if (evidence.disposition === 'quarantine')
    return { action: Action.QUARANTINE, code: 0, enhanced: '', text: `DMARC policy of ${domain}` };
  return evidence.disposition === 'reject'
    ? reject(550, '5.7.1', `Refused by the DMARC policy of ${domain}`)
    : undefined;
};

const recipients: Consequence = ({ outcome }) => {
  switch (outcome) {
    case 'unknown':
      return reject(550, '5.1.1', 'No such recipient here');
    case 'disabled':
      return reject(550, '5.2.1', 'Mailbox is disabled');
    case 'expansion_failed':
      return tempfail(451, '4.2.4', 'Recipient list cannot be expanded');
    case 'unavailable':
      return tempfail(451, '4.3.0', 'Recipients cannot be verified right now');
    default:
      return undefined;
  }
};

const consequences: Readonly<Record<CheckName, Consequence>> = { dnsbl, spf, dkim, dmarc, recipients };

/** Undefined = go on. Writes the action taken into the finding. */
export function consequenceOf(check: CheckName, finding: Finding, rejects: boolean): Decision | undefined {
  const consequence = consequences[check](finding, rejects);
  if (consequence === undefined) return undefined;
  return decision(consequence, check);
}
