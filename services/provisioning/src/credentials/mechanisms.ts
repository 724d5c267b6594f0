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
  'GSSAPI',
] as const;

const labels = [...mechanismNames, 'other'] as const;

/** A mechanism as label of a metric: what is none is `other`. */
export const labelOf = (mechanism: string): (typeof labels)[number] =>
  labels.find((name) => name === mechanism.toUpperCase()) ?? 'other';

export const mechanismLabels: readonly (typeof labels)[number][] = labels;

export const defaultMechanisms = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'] as const;
