/** swaks, the SMTP test client administrators use: a Perl script, unpacked from its Debian package with the TLS library it uses. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureUnpacked } from './unpacked.js';

export interface Swaks {
  /** Run as `perl <path> ...`. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

export async function ensureSwaks(cacheDir?: string): Promise<Swaks> {
  const wanted = {
    name: 'swaks',
    packages: ['swaks', 'libnet-ssleay-perl'],
    // Perl itself and libssl are on every machine that has apt.
    withDependencies: false,
    witness: 'usr/bin/swaks',
  };
  const tree = await ensureUnpacked(wanted, cacheDir);
  const modules = (await readdir(tree, { recursive: true })).filter((name) => name.endsWith('Net/SSLeay.pm'));
  const folders = modules.map((name) => dirname(dirname(join(tree, name))));
  return { path: join(tree, 'usr/bin/swaks'), env: { PERL5LIB: folders.join(':') } };
}
