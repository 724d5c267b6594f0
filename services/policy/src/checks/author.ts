/** author: does the From field of a login hold only its own address and allowed identities? More than one From field, or one that cannot be read, is foreign. */
import { headerFromDomains } from '@postern/mail-message';
import { defineCheck } from '../check.js';
import { standing } from './identity.js';

export const author = defineCheck({
  name: 'author',
  settings: 'author',
  doc: 'Does the From field of a login hold only its own address and allowed identities? RFC 6409 section 8.',
  stage: 'headers',
  outcomes: ['own', 'allowed', 'foreign', 'missing', 'unavailable'],
  late: 'unavailable',
  timeoutMs: 2_000,
  applies: ({ origin, content }) => origin.authenticatedUser !== '' && content !== undefined,
  async evaluate({ directory }, { origin, content }, { rewrite }) {
    if (content === undefined) return [];
    const login = origin.authenticatedUser;
    const { fieldCount, claimed, malformed } = headerFromDomains(content.fields);
    const addresses = claimed.map(({ localPart, domain }) => `${localPart}@${domain}`);
    const evidence = {
      login,
      from: addresses.slice(0, 5).join(' ').slice(0, 400),
      ...(rewrite ? { rewrite: login } : {}),
    };
    if (fieldCount === 0) return [{ outcome: 'missing', evidence }];
    if (fieldCount > 1 || malformed || addresses.length === 0) return [{ outcome: 'foreign', evidence }];
    return [{ outcome: await standing(directory, login, addresses), evidence }];
  },
});
