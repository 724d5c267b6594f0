// The direction rules of the tree, enforced: who may import whom, and where time, randomness, the environment and the
// resolver may be touched. Packages have tiers; a lower tier never imports a higher one; services never import services;
// nobody imports another package's files except through its `exports`, nor one its manifest does not name: in an image it would not be
// there. Test files may import any package.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';

const tiers = {
  proto: 0,
  'smtp-core': 0,
  'mail-message': 0,
  dsn: 0,
  rules: 0,
  clock: 0,
  errors: 0,
  dns: 1,
  'mail-auth': 1,
  'smtp-client': 1,
  'flow-control': 1,
  config: 1,
  'check-settings': 1,
  telemetry: 1,
  milter: 1,
  icap: 1,
  clamd: 1,
  spamd: 1,
  rspamd: 1,
  grpc: 2,
  stream: 2,
  // Bodies in JetStream are a stream like others, declared in one place with them.
  'body-store': 2,
  lifecycle: 2,
  local: 2,
  testkit: 3,
  cli: 3,
  e2e: 3,
  bench: 3,
};
/** Programs that people run by hand and their test ground: free to use the clock and the environment. */
const programs = new Set(['local', 'testkit', 'cli', 'e2e', 'bench']);

const globals = [
  { pattern: /\bprocess\.env\b/, what: 'process.env', in: ['config', 'lifecycle'] },
  { pattern: /\bprocess\.(on|once)\(/, what: 'process.on', in: ['lifecycle'] },
  { pattern: /\bDate\.now\(|\bnew Date\(\)/, what: 'the wall clock', in: ['clock'] },
  { pattern: /(?<![.\w])set(Timeout|Interval)\(|node:timers/, what: 'a timer', in: ['clock'] },
  { pattern: /\bMath\.random\(/, what: 'Math.random', in: ['clock'] },
  { pattern: /['"]node:dns(\/promises)?['"]/, what: 'node:dns', in: ['dns'] },
  { pattern: /(?<![.\w])console\.\w+\(/, what: 'console', in: [] },
];

function sources(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist' || entry.name === 'gen') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...sources(path));
    else if (/\.(ts|mts)$/.test(entry.name)) found.push(path);
  }
  return found;
}

const withoutComments = (text) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bexport\s*\*\s*from\s*)['"]([^'"]+)['"]/g;

/** Undefined where the package says that it needs it. */
function undeclared(manifest, specifier) {
  // Prose in a string may look like an import.
  if (specifier.startsWith('node:') || !/^(@[\w-]+\/)?[\w-][\w./-]*$/.test(specifier)) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const declared = { ...manifest.dependencies, ...manifest.optionalDependencies };
  return name === manifest.name || name in declared ? undefined : `${name} is not among its dependencies`;
}

function importProblem(unit, file, specifier, isTest) {
  if (specifier.startsWith('.')) {
    const target = resolve(file, '..', specifier);
    if (!target.startsWith(unit.folder + sep)) return `reaches outside its package: ${specifier}`;
    if (!isTest && /\/testing\//.test(specifier)) return `imports test code: ${specifier}`;
    return undefined;
  }
  const match = /^@postern\/([^/]+)(\/.*)?$/.exec(specifier);
  if (match === null) return undefined;
  const [, name = '', path = ''] = match;
  if (/^\/(src|dist)\//.test(path)) return `imports another package's files: ${specifier}`;
  const tier = tiers[name];
  if (tier === undefined) return `imports a service: ${specifier}`;
  if (isTest || unit.testGround) return undefined;
  if (name === 'testkit' || path.includes('testing')) return `imports test code: ${specifier}`;
  if (unit.kind === 'services') return programs.has(name) ? `a service imports a program: ${specifier}` : undefined;
  return tier > tiers[unit.name] ? `tier ${tiers[unit.name]} imports tier ${tier}: ${specifier}` : undefined;
}

/** One line per violation: file, line, rule. */
export function boundaryViolations(root) {
  const violations = [];
  for (const kind of ['packages', 'services']) {
    for (const name of readdirSync(join(root, kind))) {
      const folder = join(root, kind, name);
      const unit = { kind, name, folder, testGround: name === 'testkit' || name === 'e2e' || name === 'bench' };
      if (kind === 'packages' && tiers[name] === undefined) {
        violations.push(`packages/${name}: has no tier; give it one in packages/local/bin/boundaries.mjs`);
        continue;
      }
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      for (const file of sources(join(folder, 'src'))) {
        const isTest = /\.test\.ts$|\/testing\//.test(file);
        const text = withoutComments(readFileSync(file, 'utf8'));
        const report = (index, problem) =>
          violations.push(`${relative(root, file)}:${text.slice(0, index).split('\n').length}: ${problem}`);
        for (const match of text.matchAll(importPattern)) {
          const isTool = isTest || programs.has(name);
          const problem =
            importProblem(unit, file, match[1], isTest) ?? (isTool ? undefined : undeclared(manifest, match[1]));
          if (problem !== undefined) report(match.index, problem);
        }
        if (isTest || programs.has(name)) continue;
        for (const rule of globals) {
          const match = rule.in.includes(name) ? null : rule.pattern.exec(text);
          if (match !== null) report(match.index, `uses ${rule.what} (only in ${rule.in.join(', ') || 'programs'})`);
        }
      }
    }
  }
  return violations;
}
