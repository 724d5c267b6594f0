/** Settings of checks of recipients and of our own users. */
import { s } from '@postern/config';
import { common } from './base.js';

export const callForward = s.object({
  ...common({
    what: 'the next hop of a domain is asked whether it knows a recipient the directory does not have',
    onFail: 'reject',
    timeout: '10s',
  }),
  keepKnown: s
    .duration({ min: 1_000, max: 604_800_000 })
    .default('7d')
    .doc('How long a known recipient is remembered.'),
  keepUnknown: s
    .duration({ min: 1_000, max: 86_400_000 })
    .default('2h')
    .doc('How long an unknown recipient is remembered.'),
});

export const identity = s.object(
  common({
    what: 'the reverse-path of a login must be its own address or one of its allowed identities',
    onFail: 'reject',
    timeout: '2s',
  }),
);

export const author = s.object({
  ...common({
    what: 'the From field of a login must hold its own address or allowed identities only',
    onFail: 'reject',
    timeout: '2s',
  }),
  rewrite: s
    .boolean()
    .default(false)
    .doc('A From field that does not match is replaced by the address of the login, in place of onFail.'),
});
