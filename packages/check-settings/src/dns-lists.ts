/** Settings of the lists asked over DNS: DNSBL and DNSWL of addresses, URIBL of domains. RFC 5782. */
import { s } from '@postern/config';
import { common, networks } from './base.js';

const code = s.string({
  maxLength: 18,
  pattern: /^127(\.(\d{1,3}|\d{1,3}-\d{1,3})){3}$/,
  form: 'a return code such as 127.0.0.2 or 127.0.0.4-7',
});

const dnsList = s.object({
  zone: s.domain().doc('Zone.'),
  weight: s.number({ min: 0, max: 100 }).default(1).doc('Score of a listing.'),
  codes: s
    .list(code, { max: 64 })
    .default([])
    .doc('Return codes that count; empty = every one in 127.0.0.0/8 that is no error code.'),
});
const lists = s.list(dnsList, { max: 32 }).default([]).doc('Lists with weights and return codes.');
const zones = s
  .list(s.domain(), { max: 32 })
  .default([])
  .doc('Zones of which every return code counts, with weight 1.');
const selfTest = s
  .boolean()
  .default(true)
  .doc(
    'Each list is asked for its test points (RFC 5782 section 5) every hour; one that fails them does not count until it passes.',
  );

export const dnsbl = s.object({
  ...common({ what: 'blocklists are asked for the client address', onFail: 'reject', timeout: '2s' }),
  zones,
  lists,
  threshold: s.number({ min: 0.1, max: 1_000 }).default(1).doc('Sum of weights from which on the client is listed.'),
  exempt: networks('Clients that are not asked about.'),
  selfTest,
});

export const dnswl = s.object({
  ...common({ what: 'lists of good clients are asked', timeout: '2s' }),
  zones,
  lists,
  skips: s
    .list(s.enumeration(['dnsbl', 'greylist', 'helo', 'ptr', 'uribl', 'country']), { max: 8 })
    .default(['dnsbl', 'greylist'])
    .doc('Checks whose consequence a listed client is spared.'),
  selfTest,
});

export const uribl = s.object({
  ...common({ what: 'domains in the message are looked up', timeout: '3s' }),
  zones,
  lists,
  threshold: s.number({ min: 0.1, max: 1_000 }).default(1).doc('Sum of weights from which on a domain is listed.'),
  maxDomains: s
    .integer({ min: 1, max: 200 })
    .default(20)
    .doc('Domains asked about per message, From and Reply-To first.'),
  exempt: s.list(s.domain(), { max: 10_000 }).default([]).doc('Domains not asked about, those below them included.'),
  selfTest,
});
