/**
 * Settings of one listener in the operator file. Its address and port are pod configuration
 * (`edge.listeners`), since a change of them restarts. What does not fit together is refused in `listener-problems.ts`.
 */
import { s } from '@postern/config';
import { mechanismNames } from '../credentials/mechanisms.js';
import { limits } from './limits-schema.js';
import { network } from './written-forms.js';

const on = (doc: string) => s.boolean().default(true).doc(doc);

const extensions = s.object({
  starttls: on('STARTTLS, RFC 3207.'),
  pipelining: on('PIPELINING, RFC 2920. Off: a command sent before the reply to the one before it is refused.'),
  size: on('SIZE, RFC 1870. The limit holds in any case.'),
  eightBitMime: on('8BITMIME, RFC 6152. Off: SMTPUTF8 is not offered either.'),
  chunking: on('CHUNKING (BDAT), RFC 3030.'),
  binaryMime: s
    .boolean()
    .default(false)
    .doc('BINARYMIME, RFC 3030; only together with chunking. Such mail leaves only to next hops that take it too.'),
  smtpUtf8: on('SMTPUTF8, RFC 6531.'),
  dsn: on('DSN, RFC 3461.'),
  enhancedStatusCodes: on('ENHANCEDSTATUSCODES, RFC 2034. Off: replies carry none.'),
  requireTls: on('REQUIRETLS, RFC 8689; offered on TLS only.'),
  limits: on('LIMITS, RFC 9422.'),
  auth: on('AUTH, RFC 4954. Off: no mechanism is offered or taken.'),
});

const version = s.enumeration(['TLSv1.2', 'TLSv1.3']);

const tls = s
  .object({
    minVersion: version.default('TLSv1.2').doc('Lowest protocol version.'),
    maxVersion: version.default('TLSv1.3').doc('Highest protocol version.'),
    ciphers: s
      .string({ maxLength: 4_096, pattern: /^[A-Za-z0-9_:+!@=.-]*$/, form: 'an OpenSSL cipher list' })
      .default('')
      .doc('OpenSSL cipher list, TLS 1.3 suites included; empty = the default.'),
    curves: s
      .string({ maxLength: 1_024, pattern: /^[A-Za-z0-9_:-]*$/, form: 'names of groups separated by colons' })
      .default('')
      .doc('Curves and groups, such as X25519:P-256; empty = the default.'),
    dhParameters: s
      .enumeration(['none', 'auto'])
      .default('none')
      .doc('DHE for TLS 1.2: none, or built-in groups that fit the key of the certificate.'),
    dhParametersFile: s
      .file()
      .optional()
      .doc('DH parameters, PEM (PKCS #3 or X9.42), at least 2,048 bits, in place of the built-in ones.'),
    certificates: s
      .list(s.string({ minLength: 1, maxLength: 63 }), { max: 64 })
      .default([])
      .doc(
        'Names of certificates of the pod (edge.certificates) that may be used, the first without SNI; empty = all.',
      ),
    clientCertificates: s
      .enumeration(['none', 'request', 'require'])
      .default('none')
      .doc(
        'Certificate of the client: not asked for; asked for and told to rules; or no session on TLS without a valid one.',
      ),
    clientCaFile: s
      .file()
      .optional()
      .doc('Authorities that sign client certificates, PEM. Absent: no certificate is valid.'),
  })
  .doc('TLS of this listener.');

const mechanisms = s.list(s.enumeration(mechanismNames), { max: 9 });

export const listener = s.object({
  role: s.enumeration(['mx', 'submission', 'submissions']).optional().doc('Role; by default that of its name.'),
  banner: s
    .string({ maxLength: 400, pattern: /^[\x20-\x7e]*$/, form: 'printable ASCII of at most 400 characters' })
    .default('')
    .doc(
      'Text of the banner after the host name, in place of `ESMTP`; begin it with ESMTP for old clients that look for it.',
    ),
  proxyProtocol: s
    .boolean()
    .default(false)
    .doc('Connections must begin with a PROXY header. On where it is on here or in edge.listeners.'),
  limits: limits.optional().doc('Limits of this listener, besides those of the service.'),
  requireTls: s.boolean().optional().doc('STARTTLS before AUTH and MAIL; on for submission.'),
  hostname: s.domain().optional().doc('Name in banner, EHLO reply and trace headers; by default that of the cluster.'),
  enabled: s.boolean().default(true).doc('Off: its port is closed on every pod.'),
  access: s
    .list(
      s.object({
        priority: s.integer({ min: -1_000_000, max: 1_000_000 }).default(0).doc('Lowest wins.'),
        network,
        action: s.enumeration(['allow', 'deny']).doc('What happens.'),
      }),
      { max: 10_000 },
    )
    .default([])
    .doc('Access rules of this listener; the same as `access` with level listener.'),
  extensions: extensions.doc('ESMTP extensions that are offered.'),
  linePolicy: s
    .enumeration(['refuse', 'normalise'])
    .default('refuse')
    .doc('Bare CR, bare LF and NUL in a message: refuse it, or make whole lines of them before anything else sees it.'),
  xclient: s
    .list(network, { max: 1_000 })
    .default([])
    .doc('Networks of filters in front of us that may say by XCLIENT who their client is.'),
  tls,
  requireAuth: s.boolean().optional().doc('AUTH before MAIL; on for submission and submissions.'),
  authMechanismsTls: mechanisms
    .optional()
    .doc(
      'Mechanisms on TLS connections, in order. Left out: SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, LOGIN; none for role mx.',
    ),
  authMechanismsPlain: mechanisms.default([]).doc('Mechanisms on plain connections, in order.'),
});
