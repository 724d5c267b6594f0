/**
 * CRAM-MD5 (RFC 2195): the server speaks first, the client answers `name SP digest`. Historic; only for users who keep a recoverable password for it.
 */
import { type Mechanism, readUsername } from './mechanism.js';

export const cramMd5: Mechanism = async (initial, challenge, context) => {
  // RFC 4954 section 4: no initial response where the server speaks first.
  if (initial !== undefined) return { kind: 'malformed' };
  const asked = Buffer.from(`<${context.nonce()}@${context.hostname}>`);
  const response = await challenge(asked);
  if (typeof response === 'string') return { kind: response };
  const space = response.lastIndexOf(0x20);
  const digest = response.subarray(space + 1).toString('latin1');
  const username = space <= 0 ? undefined : readUsername(response.subarray(0, space));
  if (username === undefined || !/^[0-9a-f]{32}$/.test(digest)) return { kind: 'malformed' };
  return { kind: 'exchanged', username, parameters: { challenge: asked, digest: Buffer.from(digest, 'hex') } };
};
