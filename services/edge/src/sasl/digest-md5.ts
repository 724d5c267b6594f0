/**
 * DIGEST-MD5 (RFC 2831), authentication without a security layer, no subsequent authentication. Historic (RFC 6331); only for users who keep a recoverable
 * password for it. The server proves itself by `rspauth` before the final reply.
 */
import { type Mechanism, maxCredentialLength, readUsername } from './mechanism.js';

const directive = /\s*([a-z-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.){0,2048})"|([^\s",]{1,2048}))\s*(?:,|$)/gy;

/** Names once each, at most 20; undefined where it is no list of directives. */
export function readDirectives(text: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  let end = 0;
  for (const match of text.matchAll(directive)) {
    const [whole, name = '', quoted, token] = match;
    if (found.has(name) || found.size >= 20) return undefined;
    found.set(name, quoted === undefined ? (token ?? '') : quoted.replaceAll(/\\(.)/g, '$1'));
    end = match.index + whole.length;
  }
  return end === text.length && found.size > 0 ? found : undefined;
}

const required = ['username', 'realm', 'nonce', 'cnonce', 'nc', 'digest-uri', 'response'] as const;

export const digestMd5: Mechanism = async (initial, challenge, context) => {
  if (initial !== undefined) return { kind: 'malformed' };
  const nonce = context.nonce();
  const { hostname } = context;
  const asked = `realm="${hostname}",nonce="${nonce}",qop="auth",charset=utf-8,algorithm=md5-sess`;
  const response = await challenge(Buffer.from(asked));
  if (typeof response === 'string') return { kind: response };
  if (response.length > 4 * maxCredentialLength) return { kind: 'malformed' };
  const said = readDirectives(response.toString(response.includes('charset=utf-8') ? 'utf8' : 'latin1'));
  if (said === undefined || required.some((name) => !said.has(name))) return { kind: 'malformed' };
  const of = (name: string): string => said.get(name) ?? '';
  const username = readUsername(Buffer.from(of('username')));
  if (username === undefined || !/^[0-9a-f]{32}$/.test(of('response'))) return { kind: 'malformed' };
  const refused = (reason: string) => ({ kind: 'refused', username, parameters: {}, reason }) as const;
  if (of('nonce') !== nonce || of('nc') !== '00000001') return refused('nonce differs');
  if (of('realm') !== hostname) return refused('realm differs');
  if (!/^smtp\//i.test(of('digest-uri'))) return refused('digest-uri is of another service');
  if ((said.get('qop') ?? 'auth') !== 'auth') return refused('qop was not offered');
  if (of('authzid') !== '' && of('authzid') !== username) return refused('authorization identity differs');
  const names = ['realm', 'nonce', 'cnonce', 'nc', 'digest-uri', 'authzid'];
  const parameters = Object.fromEntries(names.map((name) => [name, Buffer.from(of(name))]));
  return {
    kind: 'exchanged',
    username,
    parameters: { ...parameters, response: Buffer.from(of('response'), 'hex') },
    finish: async (answer) =>
      answer.kind === 'verified'
        ? challenge(Buffer.from(`rspauth=${(answer.serverProof ?? Buffer.alloc(0)).toString('hex')}`))
        : Buffer.alloc(0),
  };
};
