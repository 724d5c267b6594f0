/** Settings of greylisting. RFC 6647. */
import { s } from '@postern/config';
import { common, networks } from './base.js';

export const greylist = s.object({
  ...common({ what: 'mail of unknown origin is asked to come again', onFail: 'reject', timeout: '500ms' }),
  delay: s.duration({ min: 0, max: 86_400_000 }).default('1m').doc('Time before which a retry is too early.'),
  window: s.duration({ min: 60_000, max: 604_800_000 }).default('2d').doc('Time within which the retry must come.'),
  remember: s
    .duration({ min: 3_600_000 })
    .default('36d')
    .doc('How long what passed is known, counted from its last mail.'),
  autoAllow: s
    .integer({ min: 0, max: 1_000 })
    .default(5)
    .doc('After so many senders or recipients passed, all mail of the same origin passes; 0 = never.'),
  identity: s
    .boolean()
    .default(true)
    .doc('The origin is the domain SPF passed for, whatever address it comes from; else the /24 or /64 of the client.'),
  signature: s
    .boolean()
    .default(false)
    .doc(
      'Where SPF did not pass, recipients are asked at the end of data, so that the domain of a valid DKIM signature is the origin. The sender then gives its message twice.',
    ),
  whenAway: s.enumeration(['pass', 'defer']).default('pass').doc('What happens while Redis is away.'),
  exempt: networks('Clients that are not greylisted.'),
  exemptSenders: s.list(s.domain(), { max: 10_000 }).default([]).doc('Sender domains that are not greylisted.'),
});
