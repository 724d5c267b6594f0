/** How names, addresses and networks are written in the operator file, wherever they stand in it. */
import { isNetwork, networkHint, s } from '@postern/config';

export const nameOf = (what: string) =>
  s.string({
    minLength: 1,
    maxLength: 63,
    pattern: /^[A-Za-z0-9][A-Za-z0-9_-]*$/,
    form: `${what}: letters, digits, - and _`,
  });
/** Keys of next hops and listeners. */
export const freeName = {
  key: /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
  keyForm: 'a name of letters, digits, - and _, at most 63 characters',
};
export const tenantName = s.string({
  maxLength: 63,
  pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
  form: 'a tenant name: lower case letters, digits and hyphens, at most 63',
});
export const address = s.string({ maxLength: 320, pattern: /^[^\s@]+@[^\s@]+$/, form: 'a mail address user@domain' });
export const count = s.integer({ min: 0, max: 4_294_967_295 });
export const network = s
  .string({ maxLength: 100, form: 'an address, a CIDR network or a range a-b' })
  .check('a CIDR network, an address or a range a-b from the lower address to the higher', isNetwork, networkHint);
