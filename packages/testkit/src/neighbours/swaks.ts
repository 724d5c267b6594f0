/** swaks, the SMTP test client administrators use: a Perl script, unpacked from its Debian package. */
import { join } from 'node:path';
import { ensureUnpacked } from './unpacked.js';

export async function ensureSwaks(cacheDir?: string): Promise<string> {
  const tree = await ensureUnpacked({ name: 'swaks', packages: ['swaks'], witness: 'usr/bin/swaks' }, cacheDir);
  return join(tree, 'usr/bin/swaks');
}
