/** identity: is the reverse-path of a login its own address or one it is allowed to use? The null path is nobody's and passes. */
import { type CheckContext, defineCheck } from '../check.js';
import { canonicalOf } from '../directory/expand.js';

export const identity = defineCheck({
  name: 'identity',
  settings: 'identity',
  doc: 'Is the reverse-path of a login its own address or one of its allowed identities? RFC 6409 section 6.1.',
  stage: 'mail',
  outcomes: ['own', 'allowed', 'foreign', 'unavailable'],
  late: 'unavailable',
  timeoutMs: 2_000,
  applies: ({ origin, facts }) => origin.authenticatedUser !== '' && facts.hasReversePath && facts.reversePath !== '',
  async evaluate({ directory }, { origin, facts }) {
    const login = origin.authenticatedUser;
    const evidence = { login, address: facts.reversePath };
    return [{ outcome: await standing(directory, login, [facts.reversePath]), evidence }];
  },
});

export type Standing = 'own' | 'allowed' | 'foreign' | 'unavailable';

/** What all of the addresses are to a login. `+tag` of an own address is the own address. */
export async function standing(
  directory: CheckContext['directory'],
  login: string,
  addresses: readonly string[],
): Promise<Standing> {
  const own = login.toLowerCase();
  const others = addresses.map(withoutTag).filter((address) => address !== own);
  if (others.length === 0) return 'own';
  const found = await directory.lookup(own);
  if (found.kind === 'unavailable') return 'unavailable';
  if (found.kind === 'absent') return 'foreign';
  const allowed = new Set(found.entry.allowedIdentities.map((address) => address.toLowerCase()));
  const isAllowed = (address: string): boolean =>
    allowed.has(address) || allowed.has(address.slice(address.lastIndexOf('@')));
  return others.every(isAllowed) ? 'allowed' : 'foreign';
}

function withoutTag(address: string): string {
  return (canonicalOf(address) ?? address.toLowerCase()).replace(/^([^+@]+)\+[^@]*@/, '$1@');
}
