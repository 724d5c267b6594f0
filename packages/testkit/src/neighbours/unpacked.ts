/** What every fetched neighbour needs: its tree in the shared cache and the folders of its shared libraries. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cached, fetchDebian, SetupError, sharedCache } from '@postern/local';

export interface UnpackedPackage {
  readonly name: string;
  readonly packages: readonly string[];
  /** Also the packages these depend on; default true. */
  readonly withDependencies?: boolean;
  /** File inside the tree that tells it is whole. */
  readonly witness: string;
}

/** The tree of a package of this machine's own Debian or Ubuntu suite, fetched once per machine. */
export async function ensureUnpacked(wanted: UnpackedPackage, cacheDir: string = sharedCache().dir): Promise<string> {
  const target = join(cacheDir, wanted.name);
  const insteadOfFetching = `run this test on Debian or Ubuntu with the network`;
  const present = async () =>
    (await stat(join(target, wanted.witness)).catch(() => undefined)) === undefined ? undefined : target;
  const fetch = () =>
    fetchDebian(
      {
        what: wanted.name,
        packages: wanted.packages,
        withDependencies: wanted.withDependencies ?? true,
        suite: { debian: 'own', ubuntu: 'own' },
        target,
        insteadOfFetching,
      },
      () => {},
    );
  const tree = await cached({ dir: cacheDir, alsoLookIn: [] }, wanted.name, present, fetch);
  if (tree === undefined)
    throw new SetupError(`The package ${wanted.name} has no ${wanted.witness}.`, insteadOfFetching);
  return tree;
}

/** Folders of a tree that hold shared libraries, as a search path. */
export async function libraryPath(tree: string): Promise<string> {
  const names = await readdir(tree, { recursive: true });
  const folders = names.filter((name) => /\.so(\.[\d.]+)?$/.test(name)).map((name) => dirname(join(tree, name)));
  return [...new Set(folders)].join(':');
}
