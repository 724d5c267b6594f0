/** Settings of the listeners dialogs ask for by name, as the snapshot carries them; packages/e2e gives a cluster the same in its operator file. */
export const dialogListeners = [
  // Every extension, BINARYMIME as well.
  { name: 'mx', role: 'mx' },
  {
    name: 'mx-bare',
    role: 'mx',
    extensionsOff: [
      ...['STARTTLS', 'PIPELINING', 'SIZE', '8BITMIME', 'CHUNKING', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES'],
      ...['REQUIRETLS', 'LIMITS', 'AUTH'],
    ],
  },
  { name: 'mx-chunks', role: 'mx', extensionsOff: ['BINARYMIME'] },
  { name: 'mx-limited', role: 'mx', limits: { messageSize: 2_048, recipients: 2, messagesPerSession: 2 } },
  { name: 'mx-named', role: 'mx', hostname: 'in.partner.test', banner: 'for partners' },
  { name: 'mx-normalise', role: 'mx', linePolicy: 'normalise' },
  { name: 'mx-tls', role: 'mx', requireTls: true },
  { name: 'mx-xclient', role: 'mx', xclientNetworks: ['127.0.0.0/8'] },
  {
    name: 'submission-optional',
    role: 'submission',
    requireTls: false,
    requireAuth: true,
    authMechanismsPlain: ['PLAIN'],
    authMechanismsTls: ['PLAIN', 'LOGIN'],
  },
  {
    name: 'submissions-all',
    role: 'submissions',
    requireAuth: true,
    authMechanismsTls: [
      ...['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'CRAM-MD5', 'DIGEST-MD5', 'PLAIN', 'LOGIN', 'OAUTHBEARER', 'XOAUTH2'],
    ],
  },
];
