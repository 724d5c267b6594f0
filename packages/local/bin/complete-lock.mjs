// Adds to package-lock.json the optional packages for other platforms that npm left out because the registry at hand does
// not carry them: without their entries `npm ci` refuses the lockfile everywhere. Only name, version and platform are
// written; a machine of that platform fetches the package by version. Run after `npm install` changed the lockfile:
//   node packages/local/bin/complete-lock.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../../../package-lock.json', import.meta.url));
const systems = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'openharmony',
  'win32',
  'windows',
  'sunos',
  'netbsd',
  'openbsd',
  'aix',
];
const processors = ['arm64', 'x64', '64', 'armv7', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'wasm32'];

/** os and cpu as npm writes them, read from the package's name, for example binding-linux-arm-musleabihf. */
function platformOf(name) {
  const words = name.split('/').at(-1).split('-');
  const system = systems.find((known) => words.includes(known));
  const processor = processors.find((known) => words.includes(known));
  if (system === undefined || processor === undefined) throw new Error(`no platform in the name ${name}`);
  return {
    cpu: [processor === '64' ? 'x64' : processor === 'armv7' ? 'arm' : processor],
    os: [system === 'windows' ? 'win32' : system],
  };
}

const text = readFileSync(file, 'utf8');
const lock = JSON.parse(text);
const added = {};
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages;
    // Exact versions only: a range cannot be resolved without the registry.
    if (known || !/^\d+\.\d+\.\d+[\w.+-]*$/.test(version)) continue;
    const platform = platformOf(name);
    added[`node_modules/${name}`] = {
      version,
      cpu: platform.cpu,
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      os: platform.os,
    };
  }
}
const count = Object.keys(added).length;
if (count > 0 && process.argv.includes('--check')) {
  process.stderr.write(
    `package-lock.json lacks ${count} optional packages of other platforms: run node packages/local/bin/complete-lock.mjs\n`,
  );
  process.exit(1);
}
if (count > 0) {
  const { '': root, ...rest } = { ...lock.packages, ...added };
  const sorted = Object.fromEntries(Object.entries(rest).sort(([left], [right]) => left.localeCompare(right, 'en')));
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: { '': root, ...sorted } }, null, 2)}\n`);
}
process.stdout.write(`package-lock.json: ${count} optional packages of other platforms added\n`);
