/**
 * OAUTHBEARER (RFC 7628) and XOAUTH2: the client brings a token; provisioning verifies it against the issuers of the tenant. What is wrong is told
 * as JSON in one more challenge, which the client answers before the final reply (RFC 7628 section 3.2.3).
 */
import type { Mechanism, SaslResult } from './mechanism.js';
import { readUsername } from './mechanism.js';

/** Tokens with many claims are long; a line of AUTH is bounded anyway (RFC 4954 section 4: 12,288). */
const maxMessage = 9_216;
const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** `key=value` between ^A; undefined where it is none or a key comes twice. */
function readPairs(text: string): ReadonlyMap<string, string> | undefined {
  if (!text.endsWith('\x01\x01')) return undefined;
  const pairs = new Map<string, string>();
  for (const pair of text.slice(0, -2).split('\x01')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, equals);
    if (equals < 1 || pairs.has(key)) return undefined;
    pairs.set(key, pair.slice(equals + 1));
  }
  return pairs;
}

function tokenOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : bearer.exec(authorization)?.[1];
}

function mechanism(
  read: (text: string) => { user: string; token: string | undefined } | undefined,
  failure: string,
): Mechanism {
  return async (initial, challenge): Promise<SaslResult> => {
    const message = initial === undefined || initial.length === 0 ? await challenge(Buffer.alloc(0)) : initial;
    if (typeof message === 'string') return { kind: message };
    const said = message.length > maxMessage ? undefined : read(message.toString('utf8'));
    const username = said === undefined ? undefined : readUsername(Buffer.from(said.user));
    if (said?.token === undefined || username === undefined) return { kind: 'malformed' };
    return {
      kind: 'exchanged',
      username,
      parameters: { token: Buffer.from(said.token) },
      finish: async (answer) => (answer.kind === 'denied' ? challenge(Buffer.from(failure)) : Buffer.alloc(0)),
    };
  };
}

/** RFC 7628 section 3.1: a GS2 header, which here must name the user, then pairs. */
export const oauthBearer = mechanism((text) => {
  const header = /^n,a=([^,]+),/.exec(text);
  const rest = header === null ? '' : text.slice(header[0].length);
  const pairs = rest.startsWith('\x01') ? readPairs(rest.slice(1)) : undefined;
  const user = header?.[1]?.replaceAll('=2C', ',').replaceAll('=3D', '=');
  return pairs === undefined || user === undefined ? undefined : { user, token: tokenOf(pairs.get('auth')) };
}, '{"status":"invalid_token","schemes":"bearer"}');

export const xoauth2 = mechanism((text) => {
  const pairs = readPairs(text);
  const user = pairs?.get('user');
  return pairs === undefined || user === undefined ? undefined : { user, token: tokenOf(pairs.get('auth')) };
}, '{"status":"401","schemes":"bearer","scope":""}');
