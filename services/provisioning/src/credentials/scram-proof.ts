/** The server's end of SCRAM (RFC 5802 section 3): the client's proof against StoredKey, and the server's own. Constant time for unknown users. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { VerifyRequest } from '@postern/proto/directory/v1/credential_service';
import { readScramVerifier } from './password.js';

const none = Buffer.alloc(0);

export interface Proof {
  readonly right: boolean;
  readonly cached: boolean;
  readonly serverProof: Buffer;
}

/** Parameters: `authMessage` and `clientProof`, both as exchanged. */
export function proveScram(stored: string | undefined, parameters: VerifyRequest['parameters']): Proof {
  const verifier = stored === undefined ? undefined : readScramVerifier(stored);
  const storedKey = verifier?.storedKey ?? Buffer.alloc(32);
  const authMessage = Buffer.from(parameters.authMessage ?? none);
  const given = Buffer.from(parameters.clientProof ?? none);
  const signature = createHmac('sha256', storedKey).update(authMessage).digest();
  const clientKey = Buffer.from(signature.map((byte, index) => byte ^ (given[index] ?? 0)));
  const right =
    timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey) &&
    verifier !== undefined &&
    given.length === signature.length;
  const serverProof = right ? createHmac('sha256', verifier.serverKey).update(authMessage).digest() : none;
  return { right, cached: false, serverProof };
}

/** What the client signed names the connection the edge saw: with -PLUS its binding data, else none. */
export function isBoundAsSaid(mechanism: string, { parameters, channelBinding }: VerifyRequest): boolean {
  const message = Buffer.from(parameters.authMessage ?? none).toString('utf8');
  const said = /^,c=([A-Za-z0-9+/]+={0,2}),r=/.exec(message.slice(message.lastIndexOf(',c=')))?.[1];
  if (said === undefined) return false;
  const header = Buffer.from(said, 'base64');
  const binding = Buffer.from(channelBinding);
  if (!mechanism.endsWith('-PLUS')) return binding.length === 0 && /^[ny],/.test(header.toString('latin1'));
  return binding.length > 0 && header.length > binding.length && header.subarray(-binding.length).equals(binding);
}
