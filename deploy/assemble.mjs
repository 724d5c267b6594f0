// Copies what one program needs at run time out of a built tree: its workspace and those it depends on (package.json,
// dist without tests, migrations), and the packages they name under `dependencies`, found the way Node finds them.
// Optional ones come along where a workspace names them, with the builds for this platform that they name in turn.
// Development dependencies, other optional ones, types and source maps stay behind.
//   node deploy/assemble.mjs <workspace folder> <target folder>
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

const [workspace, target] = process.argv.slice(2);
if (workspace === undefined || target === undefined) {
  process.stderr.write('usage: assemble.mjs WORKSPACE TARGET\n');
  process.exit(2);
}
const root = process.cwd();
const into = resolve(target);
const copied = new Set();
const leftBehind = /\.(d\.[cm]?ts|map|tsbuildinfo|md|markdown)$|\.test\.js$|[\\/]dist[\\/](.*[\\/])?testing[\\/]/;

/** Folder of a package as Node resolves it from `from`. */
function locate(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === root) return undefined;
  }
}

function copyFiltered(from, to) {
  cpSync(from, to, {
    recursive: true,
    filter: (path) => !leftBehind.test(path) && !relative(from, path).split(sep).includes('node_modules'),
  });
}

function copyWorkspace(folder) {
  const place = join(into, relative(root, folder));
  for (const part of ['package.json', 'dist', 'migrations']) {
    if (existsSync(join(folder, part))) copyFiltered(join(folder, part), join(place, part));
  }
}

function copyPackage(name, from, optional, ours = false) {
  const found = locate(name, from);
  if (found === undefined) {
    if (optional) return;
    throw new Error(`${name}, needed in ${relative(root, from)}, is not installed`);
  }
  if (copied.has(found)) return;
  copied.add(found);
  const place = join(into, relative(root, found));
  if (lstatSync(found).isSymbolicLink()) {
    const folder = realpathSync(found);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(relative(dirname(place), join(into, relative(root, folder))), place);
    copyWorkspace(folder);
    follow(folder, true);
    return;
  }
  copyFiltered(found, place);
  follow(found, ours);
}

/** `takesOptional`: a workspace, or what a workspace names as optional. */
function follow(folder, takesOptional) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  // An optional dependency is in both lists of a published package.
  const optional = { ...manifest.optionalDependencies, ...manifest.peerDependenciesMeta };
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    if (name.startsWith('@types/') || name in (manifest.optionalDependencies ?? {})) continue;
    copyPackage(name, folder, name in optional || !(name in (manifest.dependencies ?? {})));
  }
  if (!takesOptional) return;
  for (const name of Object.keys(manifest.optionalDependencies ?? {})) copyPackage(name, folder, true, true);
}

const start = resolve(workspace);
copyWorkspace(start);
follow(start, true);
cpSync(join(root, 'LICENSE'), join(into, 'LICENSE'));
