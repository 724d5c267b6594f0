/** Every mechanism that works, by its IANA name. A listener offers those its settings name and that stand here. */
import { cramMd5 } from './cram-md5.js';
import { digestMd5 } from './digest-md5.js';
import { gssapi } from './gssapi/gssapi.js';
import { login } from './login.js';
import type { Mechanism } from './mechanism.js';
import { oauthBearer, xoauth2 } from './oauth.js';
import { plain } from './plain.js';
import { scramSha256, scramSha256Plus } from './scram.js';

export const mechanisms: ReadonlyMap<string, Mechanism> = new Map([
  ['SCRAM-SHA-256-PLUS', scramSha256Plus],
  ['SCRAM-SHA-256', scramSha256],
  ['PLAIN', plain],
  ['LOGIN', login],
  ['CRAM-MD5', cramMd5],
  ['DIGEST-MD5', digestMd5],
  ['OAUTHBEARER', oauthBearer],
  ['XOAUTH2', xoauth2],
  ['GSSAPI', gssapi],
]);

/** Only where the pod has a keytab. */
export const needsKerberos: ReadonlySet<string> = new Set(['GSSAPI']);

/** Tied to the TLS connection, so of no use in plain. */
export const needsTls: ReadonlySet<string> = new Set(['SCRAM-SHA-256-PLUS']);
