/** LOGIN (draft-murchison-sasl-login-00): name and password asked in turn; an initial response is the name. */
import { type Mechanism, maxCredentialLength, readUsername } from './mechanism.js';

const usernamePrompt = Buffer.from('Username:');
const passwordPrompt = Buffer.from('Password:');

export const login: Mechanism = async (initial, challenge) => {
  const name = initial !== undefined && initial.length > 0 ? initial : await challenge(usernamePrompt);
  if (typeof name === 'string') return { kind: name };
  const username = readUsername(name);
  if (username === undefined) return { kind: 'malformed' };
  const password = await challenge(passwordPrompt);
  if (typeof password === 'string') return { kind: password };
  if (password.length === 0 || password.length > maxCredentialLength) return { kind: 'malformed' };
  return { kind: 'exchanged', username, parameters: { password } };
};
