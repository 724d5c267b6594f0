/**
 * One user whose credentials are proved as provisioning proves them, for dialogs of every mechanism: a password, a recoverable one, and a token.
 * Written from RFC 2195, 2831, 5802; the client of the dialogs is another text.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import type { ChallengeMaterial, CredentialAnswer, CredentialQuestion } from '../credentials.js';

const user = 'user@example.test';
const password = 'Correct-horse-7-battery';
const token = 'mF_9.B5f-4.1JqM';
const salt = Buffer.from('salt of the user');
const iterations = 4_096;

export const userMaterial: ChallengeMaterial = { kind: 'material', salt, iterations, available: true };

type Parameters = CredentialQuestion['parameters'];
/** The server's proof, empty where the mechanism has none; undefined = wrong. */
type Proof = (parameters: Parameters) => Buffer | undefined;

const none = Buffer.alloc(0);
const of = (parameters: Parameters, name: string): Buffer => parameters[name] ?? none;
const hmac = (key: Buffer, data: Buffer | string): Buffer => createHmac('sha256', key).update(data).digest();
const md5 = (text: string): Buffer => createHash('md5').update(text).digest();

const byPassword: Proof = (parameters) => (of(parameters, 'password').toString() === password ? none : undefined);
const byToken: Proof = (parameters) => (of(parameters, 'token').toString() === token ? none : undefined);

const scram: Proof = (parameters) => {
  const message = of(parameters, 'authMessage');
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  const signature = hmac(storedKey, message);
  const clientKey = of(parameters, 'clientProof').map((octet, index) => octet ^ (signature[index] ?? 0));
  if (!createHash('sha256').update(clientKey).digest().equals(storedKey)) return undefined;
  return hmac(hmac(salted, 'Server Key'), message);
};

const digest: Proof = (parameters) => {
  const [realm, nonce, cnonce, nc, uri] = ['realm', 'nonce', 'cnonce', 'nc', 'digest-uri'].map((name) =>
    of(parameters, name).toString(),
  );
  const session = Buffer.from(`:${nonce}:${cnonce}`);
  const key = createHash('md5')
    .update(md5(`${user}:${realm}:${password}`))
    .update(session)
    .digest('hex');
  const answer = (method: string): Buffer =>
    md5(`${key}:${nonce}:${nc}:${cnonce}:auth:${md5(`${method}:${uri}`).toString('hex')}`);
  return answer('AUTHENTICATE').equals(of(parameters, 'response')) ? answer('') : undefined;
};

const cram: Proof = (parameters) =>
  createHmac('md5', password).update(of(parameters, 'challenge')).digest().equals(of(parameters, 'digest'))
    ? none
    : undefined;

const proofs = new Map<string, Proof>([
  ['PLAIN', byPassword],
  ['LOGIN', byPassword],
  ['CRAM-MD5', cram],
  ['DIGEST-MD5', digest],
  ['SCRAM-SHA-256', scram],
  ['SCRAM-SHA-256-PLUS', scram],
  ['OAUTHBEARER', byToken],
  ['XOAUTH2', byToken],
]);

export function verifyUser({ mechanism, username, parameters }: CredentialQuestion): CredentialAnswer {
  const serverProof = username === user ? proofs.get(mechanism)?.(parameters) : undefined;
  if (serverProof === undefined) return { kind: 'denied', reason: 'wrong credentials' };
  return { kind: 'verified', user, tenant: 'acme', cached: false, serverProof };
}
