/** swaks, the SMTP test client administrators use: a Perl script, unpacked from its Debian package with the TLS and SASL modules it uses. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureUnpacked } from './unpacked.js';

export interface Swaks {
  /** Run as `perl <path> ...`. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

export async function ensureSwaks(cacheDir?: string): Promise<Swaks> {
  const wanted = {
    name: 'swaks-client',
    packages: ['swaks', 'libnet-ssleay-perl', 'libauthen-sasl-perl', 'libgssapi-perl', 'libdigest-hmac-perl'],
    // Perl itself and libssl are on every machine that has apt.
    withDependencies: false,
    witness: 'usr/bin/swaks',
  };
  const tree = await ensureUnpacked(wanted, cacheDir);
  const all = await readdir(tree, { recursive: true });
  const modules = ['Net/SSLeay.pm', 'Authen/SASL.pm', 'GSSAPI.pm', 'Digest/HMAC.pm'];
  const folders = modules.flatMap((module) =>
    all.filter((name) => name.endsWith(`/${module}`)).map((name) => join(tree, name.slice(0, -module.length - 1))),
  );
  return { path: join(tree, 'usr/bin/swaks'), env: { PERL5LIB: [...new Set(folders)].join(':') } };
}
