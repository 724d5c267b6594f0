/**
 * Tokens of OAUTHBEARER (RFC 7628) and XOAUTH2: signed JWTs (RFC 7519) of the issuers the operator names. A token is right when signature, issuer, audience
 * and dates are, and its claim names the login. Keys that cannot be had now are `unavailable`, never a wrong token: keys once fetched go on for ten minutes.
 */
import { readFile } from 'node:fs/promises';
import { PosternError } from '@postern/errors';
import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { canonical } from '../addresses.js';

export interface Issuer {
  readonly tenant: string;
  readonly issuer: string;
  readonly audience: string;
  readonly userClaim: string;
  readonly jwksUrl: string;
  readonly jwksFile?: string | undefined;
}

export type TokenAnswer =
  | { readonly kind: 'right'; readonly user: string; readonly tenant: string; readonly claim: string }
  | { readonly kind: 'wrong'; readonly reason: string };

/** Asymmetric only: a shared secret would be one more that can be stolen here. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const clockToleranceSeconds = 30;
const fetchTimeoutMs = 3_000;
const cooldownMs = 30_000;
const keepKeysMs = 600_000;
const mostKeySets = 1_000;

export type VerifyToken = (token: string, issuers: readonly Issuer[], now: number) => Promise<TokenAnswer>;

const wrong = (reason: string): TokenAnswer => ({ kind: 'wrong', reason });

/** Why a token is refused, for log and trace: names claims and settings, never what a claim holds. */
function faultOf(error: unknown, { audience }: Issuer): string {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `claim ${error.claim} is missing`;
    if (error.claim === 'nbf') return 'not valid yet (claim nbf)';
    const expected = error.claim === 'aud' ? `, expected ${JSON.stringify(audience)}` : '';
    return `claim ${error.claim} is not as expected${expected}`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'wrong signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'no key of the issuer fits it';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is not allowed';
  return error instanceof errors.JOSEError ? error.code : 'not a token';
}

/** A token that is right, but for somebody else than the login that was named (`a=` of RFC 7628, `user=` of XOAUTH2). Undefined = for him. */
export function tokenForAnother(
  token: Extract<TokenAnswer, { kind: 'right' }>,
  login: { readonly address: string; readonly tenant: string },
): string | undefined {
  if (token.user !== login.address) return `its claim ${token.claim} names another user than the login`;
  return token.tenant === login.tenant ? undefined : 'its issuer is not of the tenant of the user';
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

async function localKeys(file: string): Promise<JWTVerifyGetKey> {
  try {
    return createLocalJWKSet(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    throw new PosternError('credentials-unavailable', 'the key set of an issuer cannot be read');
  }
}

/** Faults of the issuer or of the way to it; all others are of the token. */
function isUnavailable(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  // The library's plain error for an answer that is no key set.
  return !(error instanceof errors.JOSEError) || error.constructor === errors.JOSEError;
}

export function createTokenVerifier(): VerifyToken {
  const remote = new Map<string, JWTVerifyGetKey>();
  const remoteKeys = (url: string): JWTVerifyGetKey => {
    const known = remote.get(url);
    if (known !== undefined) return known;
    if (remote.size >= mostKeySets) remote.clear();
    const keys = createRemoteJWKSet(new URL(url), {
      timeoutDuration: fetchTimeoutMs,
      cooldownDuration: cooldownMs,
      cacheMaxAge: keepKeysMs,
    });
    remote.set(url, keys);
    return keys;
  };
  return async (token, issuers, now) => {
    const name = issuerOf(token);
    const issuer = issuers.find((candidate) => candidate.issuer === name);
    if (name === undefined) return wrong('not a token with an issuer (claim iss)');
    if (issuer === undefined) return wrong('unknown issuer');
    const keys = issuer.jwksFile === undefined ? remoteKeys(issuer.jwksUrl) : await localKeys(issuer.jwksFile);
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: issuer.issuer,
        audience: issuer.audience,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(now),
        requiredClaims: ['exp'],
      });
      const claim = payload[issuer.userClaim];
      const user = typeof claim === 'string' ? canonical(claim) : undefined;
      const { userClaim, tenant } = issuer;
      return user === undefined
        ? wrong(`no login in claim ${userClaim}`)
        : { kind: 'right', user, tenant, claim: userClaim };
    } catch (error) {
      if (isUnavailable(error)) throw new PosternError('credentials-unavailable', 'keys of an issuer cannot be had');
      return wrong(faultOf(error, issuer));
    }
  };
}
