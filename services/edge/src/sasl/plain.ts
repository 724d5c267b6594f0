/**
 * PLAIN (RFC 4616): `authzid NUL authcid NUL password`. Acting for another (an authzid that differs) is not offered: refused like a wrong
 * password, so that nothing is learned from it.
 */
import { type Mechanism, maxCredentialLength, readUsername } from './mechanism.js';

const empty = Buffer.alloc(0);

export const plain: Mechanism = async (initial, challenge) => {
  const message = initial ?? (await challenge(empty));
  if (typeof message === 'string') return { kind: message };
  const first = message.indexOf(0);
  const second = first === -1 ? -1 : message.indexOf(0, first + 1);
  if (second === -1 || message.indexOf(0, second + 1) !== -1) return { kind: 'malformed' };
  const username = readUsername(message.subarray(first + 1, second));
  const password = message.subarray(second + 1);
  if (username === undefined || password.length === 0 || password.length > maxCredentialLength)
    return { kind: 'malformed' };
  const authzid = message.subarray(0, first);
  if (authzid.length > 0 && authzid.toString() !== username)
    return { kind: 'refused', username, parameters: {}, reason: 'authorization identity differs' };
  return { kind: 'exchanged', username, parameters: { password } };
};
