/**
 * recipients: does each asked address of a hosted domain exist, and where does its mail go? RFC 5321 §3.3. Asks the DIRECTORY for the
 * address, then without its +tag, then the catch-all of the domain. What cannot be asked is `unavailable`, never unknown; whom the next hop knows
 * instead (`callforward`) is `forwarded` in the end.
 */
import type { RecipientEntry } from '@postern/proto/directory/v1/recipient';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { type CheckContext, defineCheck, type Observation } from '../check.js';
import { type Expansion, expand, usersOf } from '../directory/expand.js';
import { domainOf, type Subject } from '../subject.js';

const outcomes = [
  'exists',
  'tagged',
  'expanded',
  'catch_all',
  'forwarded',
  'unknown',
  'disabled',
  'expansion_failed',
  'unavailable',
] as const;
type Outcome = (typeof outcomes)[number];

const maxConcurrent = 64;

export const recipients = defineCheck({
  name: 'recipients',
  settings: 'recipients',
  doc: 'Does the recipient exist in a hosted domain, and where does its mail go? RFC 5321.',
  stage: 'rcpt',
  outcomes,
  late: 'unavailable',
  timeoutMs: 2_000,
  applies: (subject) => validated(subject).length > 0,
  concerns: validated,
  async evaluate({ directory }, subject) {
    const asked = validated(subject);
    const observations: Observation<Outcome>[] = [];
    for (let at = 0; at < asked.length; at += maxConcurrent) {
      const some = asked.slice(at, at + maxConcurrent);
      observations.push(...(await Promise.all(some.map((address) => observe(directory, subject, address)))));
    }
    return observations;
  },
});

/** A domain this pod does not know yet is asked about too: its answer is `unavailable`. */
function validated({ asked, snapshot }: Subject): readonly string[] {
  return asked
    .filter(({ recipientClass }) => recipientClass === RecipientClass.LOCAL)
    .map(({ address }) => address)
    .filter((address) => snapshot.domain(domainOf(address))?.validateRecipients !== false);
}

async function observe(
  directory: CheckContext['directory'],
  { snapshot }: Subject,
  address: string,
): Promise<Observation<Outcome>> {
  const domain = snapshot.domain(domainOf(address));
  const about = { recipient: address, evidence: {} };
  if (domain === undefined)
    return { ...about, outcome: 'unavailable', evidence: { reason: 'domain not in this snapshot' } };
  const found = await expand(directory, address, (name) => snapshot.domain(name));
  switch (found.kind) {
    case 'unavailable':
      return { ...about, outcome: 'unavailable', evidence: { reason: found.reason } };
    case 'unknown':
      return { ...about, outcome: 'unknown' };
    case 'disabled':
      return { ...about, outcome: 'disabled' };
    case 'failed':
      return { ...about, outcome: 'expansion_failed', evidence: { reason: found.reason } };
    case 'mailbox':
      return { ...about, outcome: found.tagged ? 'tagged' : 'exists', evidence: userEvidence(address, found.entry) };
    case 'targets':
      return {
        ...about,
        outcome: found.via === 'catch_all' ? 'catch_all' : 'expanded',
        evidence: {
          via: found.via,
          targets: String(found.targets.length),
          ...(await soleUser(directory, found, address)),
        },
        expandsTo: found.targets,
      };
  }
}

/** Whose mailbox it is, where the address as written does not say it: what rules and lists of the user go by. */
function userEvidence(written: string, { address }: RecipientEntry): { readonly user?: string } {
  return address === '' || (address === written && !written.includes('+')) ? {} : { user: address };
}

/** An alias of one user is that user under another name; a group, or a list of several, is nobody. */
async function soleUser(
  directory: CheckContext['directory'],
  found: Extract<Expansion, { kind: 'targets' }>,
  written: string,
): Promise<{ readonly user?: string }> {
  if (found.via === 'group' || found.targets.length !== 1) return {};
  const [user] = (await usersOf(directory, found)) ?? [];
  return user === undefined ? {} : userEvidence(written, user);
}
