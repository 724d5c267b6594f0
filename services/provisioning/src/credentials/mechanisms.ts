/** SASL mechanisms a listener may be given, and those it has when nobody says (features.md, D1): on TLS only. */
export const mechanismNames = [
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-256',
  'PLAIN',
  'LOGIN',
  'CRAM-MD5',
  'DIGEST-MD5',
  'OAUTHBEARER',
  'XOAUTH2',
] as const;

export const defaultMechanisms = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'] as const;
