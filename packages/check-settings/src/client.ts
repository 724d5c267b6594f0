/** Settings of the checks of a client and its claims: PTR, HELO, sender domain, country. */
import { s } from '@postern/config';
import { common, networks } from './base.js';

export const ptr = s.object({
  ...common({ what: 'the reverse DNS of the client is looked up', timeout: '3s' }),
  require: s
    .enumeration(['name', 'confirmed'])
    .default('confirmed')
    .doc('A name, or one that leads back to the address.'),
  exempt: networks('Clients that are not asked about.'),
});

export const helo = s.object({
  ...common({ what: 'the greeting is judged', timeout: '3s' }),
  mustResolve: s.boolean().default(true).doc('The name must have an address or MX record.'),
  exempt: networks('Clients that are not asked about.'),
});

export const sender = s.object({
  ...common({ what: 'the domain of the reverse-path must be able to receive mail', timeout: '3s' }),
  exempt: s.list(s.domain(), { max: 10_000 }).default([]).doc('Domains not asked about, those below them included.'),
});

const country = s.string({ maxLength: 2, pattern: /^[A-Z]{2}$/, form: 'a country code of two capital letters' });

export const countryCheck = s.object({
  ...common({ what: 'the country of the client is looked up', timeout: '1s' }),
  block: s.list(country, { max: 300 }).default([]).doc('Countries whose clients fail.'),
  allow: s.list(country, { max: 300 }).default([]).doc('Given: clients of any other country fail.'),
  unknown: s
    .enumeration(['block', 'accept'])
    .default('block')
    .doc(
      'Where `allow` is given: what is done about public addresses the database knows no country of; `block` = they fail too. Private and reserved addresses are in no country and never fail.',
    ),
  exempt: networks('Clients that never fail.'),
});
