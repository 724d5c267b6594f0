/** Debian's or Ubuntu's Postfix, unpacked without installing: where it is and the environment its programs need. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureUnpacked, libraryPath } from './unpacked.js';

export interface PostfixBinary {
  readonly tree: string;
  /** Must reach every daemon; main.cf names these in import_environment. */
  readonly env: Readonly<Record<string, string>>;
}

export async function ensurePostfix(cacheDir?: string): Promise<PostfixBinary> {
  const tree = await ensureUnpacked(
    { name: 'postfix', packages: ['postfix', 'libsasl2-modules'], witness: 'usr/lib/postfix/sbin/master' },
    cacheDir,
  );
  const names = await readdir(join(tree, 'usr/lib'), { recursive: true });
  const plain = names.find((name) => name.endsWith('/libplain.so'));
  return {
    tree,
    env: {
      LD_LIBRARY_PATH: await libraryPath(tree),
      ...(plain === undefined ? {} : { SASL_PATH: dirname(join(tree, 'usr/lib', plain)) }),
    },
  };
}
