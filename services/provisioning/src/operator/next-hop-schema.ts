/** Where mail goes from here, in the operator file: the hosts of a next hop or of a tenant's route, and the egress pool it leaves from. */
import { s } from '@postern/config';

const host = s.object({
  host: s.string({ minLength: 1, maxLength: 255, pattern: /^[A-Za-z0-9.:_[\]-]+$/, form: 'a host name or address' }),
  port: s.integer({ min: 1, max: 65_535 }).default(25).doc('TCP port.'),
  protocol: s.enumeration(['smtp', 'lmtp']).default('smtp').doc('SMTP or LMTP.'),
  tls: s.enumeration(['none', 'opportunistic', 'required', 'verified']).default('opportunistic').doc('TLS towards it.'),
  username: s.string({ maxLength: 255 }).default('').doc('Login; empty = none.'),
  password: s.string({ minLength: 1, maxLength: 255 }).secret().optional().doc('Password of the login.'),
  passwordFile: s.file().optional().doc('File with the password of the login.'),
});
export const hosts = s.list(host, { min: 1, max: 32 }).doc('Hosts in fallback order.');
export const egressPool = s
  .string({ maxLength: 64, pattern: /^[A-Za-z0-9_-]*$/ })
  .default('')
  .doc('Egress pool; empty = default.');
