/**
 * callforward: does the next hop of a hosted domain know a recipient the DIRECTORY does not have? With `validateRecipients` what it knows is taken
 * (`settleForwarded`), without it what it does not know is refused. What the directory has, a catch-all included, is `listed` and not asked, nor are
 * postmaster and abuse, which every hosted domain has. What cannot be asked is `unavailable`: 451, never unknown.
 */
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { asksForLogin } from '../call-forward/next-hop.js';
import { type CheckContext, defineCheck, type Observation } from '../check.js';
import { expand } from '../directory/expand.js';
import { domainOf, type Subject } from '../subject.js';

const outcomes = ['listed', 'known', 'unknown', 'unavailable'] as const;
type Outcome = (typeof outcomes)[number];

const roleAddress = /^(?:postmaster|abuse)@/i;

export const callforward = defineCheck({
  name: 'callforward',
  settings: 'callforward',
  doc: 'Does the next hop know a recipient the directory does not have? With validateRecipients on it adds to the directory.',
  stage: 'rcpt',
  outcomes,
  late: 'unavailable',
  timeoutMs: 10_000,
  applies: (subject) => forwarded(subject).length > 0,
  concerns: forwarded,
  evaluate: (context, subject) =>
    Promise.all(forwarded(subject).map((recipient) => observe(context, subject, recipient))),
});

async function observe(
  { tools, directory, deadlineMs }: CheckContext,
  { snapshot }: Subject,
  recipient: string,
): Promise<Observation<Outcome>> {
  const about = { recipient, evidence: {} };
  if (roleAddress.test(recipient)) return { ...about, outcome: 'listed' };
  const found = await expand(directory, recipient, (name) => snapshot.domain(name));
  const evidence: Observation['evidence'] = found.kind === 'unavailable' ? { reason: found.reason } : {};
  if (found.kind !== 'unknown' && found.kind !== 'unavailable') return { ...about, outcome: 'listed' };
  const domain = domainOf(recipient);
  const { keepKnown, keepUnknown } = snapshot.policies.ofDomain(domain).callforward;
  const hop = snapshot.nextHop(snapshot.domain(domain)?.nextHop ?? '');
  const hosts = hop?.hosts ?? [];
  if (hosts.length > 0 && hosts.every(asksForLogin))
    return { ...about, outcome: 'unavailable', evidence: { reason: 'login' } };
  const question = { address: recipient, hop, deadlineMs, keepKnownMs: keepKnown, keepUnknownMs: keepUnknown };
  const outcome = await tools.callForward.ask(question);
  // Whom the next hop does not know the directory may have: it cannot be asked now.
  const isOpen = outcome === 'unknown' && found.kind === 'unavailable';
  return isOpen ? { ...about, outcome: 'unavailable', evidence } : { ...about, outcome };
}

function forwarded({ asked, snapshot }: Subject): readonly string[] {
  if (!snapshot.policies.differ && !snapshot.policies.server.callforward.enabled) return [];
  return asked
    .filter(({ recipientClass }) => recipientClass === RecipientClass.LOCAL)
    .map(({ address }) => address)
    .filter((address) => {
      const domain = domainOf(address);
      return snapshot.domain(domain) !== undefined && snapshot.policies.ofDomain(domain).callforward.enabled;
    });
}
