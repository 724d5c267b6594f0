/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), server side. Salt and iterations come from provisioning, which also checks the proof: the
 * password is never seen. With -PLUS the exchange is tied to the TLS connection (RFC 9266 tls-exporter, RFC 5929 tls-server-end-point), so that
 * one in the middle cannot pass it on. A client that believes -PLUS is not offered, where it is, was lied to: refused (RFC 5802 section 6).
 */
import { type BindingType, type Mechanism, maxCredentialLength, readUsername, type SaslResult } from './mechanism.js';

interface ClientFirst {
  /** What stands before the bare message, and returns in the last one. */
  readonly gs2Header: string;
  readonly bare: string;
  readonly username: string;
  readonly authzid: string;
  readonly nonce: string;
  readonly binding: BindingType | 'none' | 'notOffered';
}

const gs2 = /^(?:(n)|(y)|p=([A-Za-z0-9.-]{1,64})),(?:a=([^,]{1,1024}))?,/;
const bareForm = /^n=([^,]+),r=([\x21-\x2b\x2d-\x7e]{8,512})(?:,.*)?$/s;
const bindingTypes: ReadonlySet<string> = new Set<BindingType>(['tls-exporter', 'tls-server-end-point']);
const isBindingType = (name: string): name is BindingType => bindingTypes.has(name);

/** RFC 5802 section 5.1: comma and equals sign in a name are =2C and =3D, and no other = may stand. */
function saslName(text: string): string | undefined {
  if (/=(?!2C|3D)/.test(text)) return undefined;
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

export function readClientFirst(message: Buffer): ClientFirst | undefined {
  if (message.length > 2 * maxCredentialLength) return undefined;
  const text = message.toString('utf8');
  const header = gs2.exec(text);
  if (header === null) return undefined;
  const [gs2Header, , notOffered, type, rawAuthzid = ''] = header;
  const bare = text.slice(gs2Header.length);
  const [, rawName = '', nonce = ''] = bareForm.exec(bare) ?? [];
  const name = saslName(rawName);
  const authzid = saslName(rawAuthzid);
  const username = name === undefined ? undefined : readUsername(Buffer.from(name));
  if (username === undefined || authzid === undefined || nonce === '') return undefined;
  if (type !== undefined && !isBindingType(type)) return undefined;
  return {
    gs2Header,
    bare,
    username,
    authzid,
    nonce,
    binding: type ?? (notOffered === undefined ? 'none' : 'notOffered'),
  };
}

const finalForm = /^(c=([A-Za-z0-9+/]+={0,2}),r=([\x21-\x2b\x2d-\x7e]+)(?:,[^,]+)*),p=([A-Za-z0-9+/]+={0,2})$/s;

function scram(name: string, isBound: boolean): Mechanism {
  return async (initial, challenge, context): Promise<SaslResult> => {
    const message = initial === undefined || initial.length === 0 ? await challenge(Buffer.alloc(0)) : initial;
    if (typeof message === 'string') return { kind: message };
    const first = readClientFirst(message);
    if (first === undefined) return { kind: 'malformed' };
    const { username, binding } = first;
    const refused = (reason: string): SaslResult => ({ kind: 'refused', username, parameters: {}, reason });
    if (isBound !== (binding !== 'none' && binding !== 'notOffered')) return { kind: 'malformed' };
    if (binding === 'notOffered' && context.offersBinding)
      return refused('client was told that channel binding is not offered');
    if (first.authzid !== '' && first.authzid !== username) return refused('authorization identity differs');
    const channelBinding = binding === 'none' || binding === 'notOffered' ? undefined : context.binding(binding);
    if (isBound && channelBinding === undefined) return refused('this connection cannot be bound to');
    const material = await context.material(username, name);
    if (material.kind === 'unavailable') return { kind: 'unavailable', username, reason: material.reason };
    if (!material.available) return refused('mechanism not available');
    const nonce = first.nonce + context.nonce();
    const serverFirst = `r=${nonce},s=${material.salt.toString('base64')},i=${material.iterations}`;
    const response = await challenge(Buffer.from(serverFirst));
    if (typeof response === 'string') return { kind: response };
    const [, withoutProof = '', bound = '', said = '', proof = ''] = finalForm.exec(response.toString('utf8')) ?? [];
    if (proof === '') return { kind: 'malformed' };
    if (said !== nonce) return refused('nonce differs');
    const expected = Buffer.concat([Buffer.from(first.gs2Header), channelBinding ?? Buffer.alloc(0)]);
    if (!Buffer.from(bound, 'base64').equals(expected)) return refused('channel binding differs');
    return {
      kind: 'exchanged',
      username,
      parameters: {
        authMessage: Buffer.from(`${first.bare},${serverFirst},${withoutProof}`),
        clientProof: Buffer.from(proof, 'base64'),
      },
      ...(channelBinding === undefined ? {} : { channelBinding }),
      // RFC 4954 section 4: what comes with success is a challenge, answered by an empty line.
      finish: async (answer) =>
        answer.kind === 'verified'
          ? challenge(Buffer.from(`v=${(answer.serverProof ?? Buffer.alloc(0)).toString('base64')}`))
          : Buffer.alloc(0),
    };
  };
}

export const scramSha256 = scram('SCRAM-SHA-256', false);
export const scramSha256Plus = scram('SCRAM-SHA-256-PLUS', true);
