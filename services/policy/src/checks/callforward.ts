/**
 * callforward: does the next hop of a domain know a recipient that our directory is not asked about? Only for hosted domains without
 * `validateRecipients`. What cannot be asked is `unavailable`: 451, never unknown.
 */
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { defineCheck } from '../check.js';
import { domainOf, type Subject } from '../subject.js';

export const callforward = defineCheck({
  name: 'callforward',
  settings: 'callforward',
  doc: 'Does the next hop know the recipient? For hosted domains without a list of recipients.',
  stage: 'rcpt',
  outcomes: ['known', 'unknown', 'unavailable'],
  late: 'unavailable',
  timeoutMs: 10_000,
  applies: (subject) => forwarded(subject).length > 0,
  concerns: forwarded,
  evaluate({ tools, deadlineMs }, subject) {
    const { snapshot } = subject;
    return Promise.all(
      forwarded(subject).map(async (recipient) => {
        const domain = domainOf(recipient);
        const { keepKnown, keepUnknown } = snapshot.policies.ofDomain(domain).callforward;
        const hop = snapshot.nextHop(snapshot.domain(domain)?.nextHop ?? '');
        const question = { address: recipient, hop, deadlineMs, keepKnownMs: keepKnown, keepUnknownMs: keepUnknown };
        return { outcome: await tools.callForward.ask(question), evidence: {}, recipient };
      }),
    );
  },
});

function forwarded({ asked, snapshot }: Subject): readonly string[] {
  if (!snapshot.policies.differ && !snapshot.policies.server.callforward.enabled) return [];
  return asked
    .filter(({ recipientClass }) => recipientClass === RecipientClass.LOCAL)
    .map(({ address }) => address)
    .filter((address) => {
      const domain = domainOf(address);
      return (
        snapshot.domain(domain)?.validateRecipients === false && snapshot.policies.ofDomain(domain).callforward.enabled
      );
    });
}
