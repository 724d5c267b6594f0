// `npm run gen:reference`: writes docs/reference/ and deploy/nats/nats.conf from the declarations in the code, so that what is
// written down cannot disagree with what runs. With --check nothing is written: one line per file that differs, exit code 1.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root, runPinned } from './pinned.mjs';

const services = ['edge', 'policy', 'queue', 'delivery', 'provisioning'];
const built = (path) => import(pathToFileURL(join(root, path)).href);
const json = (value) => `${JSON.stringify(value, null, 2)}\n`;

async function declarations(service) {
  const from = (file) => built(`services/${service}/dist/${file}.js`);
  const [config, metrics, events] = await Promise.all(['config', 'metrics', 'events'].map(from));
  return {
    config: config[`${service}Config`],
    metrics: metrics[`${service}Metrics`],
    events: events[`${service}Events`] ?? events.events,
  };
}

/** A gauge that reads its value when asked gets a reader that is never asked. */
function describe(declare, metrics) {
  for (const made of Object.values(declare(metrics))) if (typeof made === 'function') made(() => 0);
}

async function metricsPage(declared) {
  const { Metrics, metricsMarkdown, telemetryMetrics } = await built('packages/telemetry/dist/index.js');
  const { serverMetrics } = await built('packages/grpc/dist/observe.js');
  const { clientMetrics } = await built('packages/grpc/dist/client-metrics.js');
  const { edgeWorkerMetrics } = await built('services/edge/dist/workers/worker-metrics.js');
  const { lifecycleMetrics } = await built('packages/lifecycle/dist/state.js');
  const metrics = new Metrics();
  for (const declare of [
    ...declared.map((service) => service.metrics),
    serverMetrics,
    clientMetrics,
    lifecycleMetrics,
    telemetryMetrics,
    edgeWorkerMetrics,
  ]) {
    describe(declare, metrics);
  }
  return metricsMarkdown(metrics.describe());
}

async function eventsPage(declared) {
  const { eventLevels, eventsMarkdown, telemetryEvents } = await built('packages/telemetry/dist/index.js');
  const { grpcEvents } = await built('packages/grpc/dist/index.js');
  const { lifecycleEvents } = await built('packages/lifecycle/dist/state.js');
  const { journalLevel } = await built('services/edge/dist/telemetry-journal.js');
  const fromCalls = eventLevels(productSources());
  const levelsOf = (event) => {
    const levels = fromCalls(event);
    // The session's journal tells of an event in both places; others only name it for the trace.
    if (event.startsWith('edge.') && !levels.some((level) => level !== 'trace only')) return [journalLevel(event)];
    if (levels.length > 0) return levels;
    throw new Error(`no call tells of the event ${event}`);
  };
  const catalogues = [...declared.map((service) => service.events), grpcEvents, lifecycleEvents, telemetryEvents];
  return eventsMarkdown(catalogues, levelsOf);
}

/** Texts of what runs. */
function productSources() {
  return ['packages', 'services'].flatMap((folder) =>
    readdirSync(join(root, folder)).flatMap((name) => {
      const source = join(root, folder, name, 'src');
      if (!existsSync(source)) return [];
      return readdirSync(source, { recursive: true })
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('testing'))
        .map((file) => readFileSync(join(source, file), 'utf8'));
    }),
  );
}

async function factsPage() {
  const { factEntry, factNames, ruleEvents } = await built('packages/rules/dist/index.js');
  const afterAcceptance = new Set(ruleEvents.slice(ruleEvents.indexOf('relay')));
  const rows = factNames().map((name) => {
    const { type, since, doc, needs, range, isCountry, asked, kept, values = [] } = factEntry(name);
    const file = needs === undefined ? '' : ` Needs ${needs === 'asn' ? 'an' : 'a'} ${needs} file.`;
    const bounds = range === undefined ? '' : ` A constant beyond ${range[0]} to ${range[1]} is refused.`;
    const country = isCountry === true ? ' What is no such code is refused.' : '';
    // Most texts name them.
    const choice = values.every((value) => doc.includes(value)) ? '' : ` One of ${values.join(', ')}.`;
    const accepted = afterAcceptance.has(since) || kept === true ? 'yes' : '';
    return `| \`${name}\` | ${type} | ${since} | ${accepted} | ${asked === true ? 'yes' : ''} | ${doc}${choice}${file}${bounds}${country} |`;
  });
  return [
    '# Facts of rule conditions',
    '',
    'Generated from `packages/rules/src/fact-table.ts`. A fact that is not known reads as the empty value of its type. `headers` is known',
    'from the event `headers` on, with `headers.values(name)`, `headers.first(name)`, `headers.has(name)`, `headers.count(name)`: unfolded, else as written, encoded words included;',
    '`headers.shown(name)` is a list of what people may read there: encoded words decoded, full-width forms and characters nobody sees made plain, and once more without comments and quotes where that differs.',
    `Events, in the order a message meets them: ${ruleEvents.map((event) => `\`${event}\``).join(', ')}.`,
    '',
    'Types: `string`, `int`, `double`, `bool`, `strings` (a list), `time`. Where the meaning lists all values, another constant is refused when the rule is',
    'saved. *Kept*: known at relay and the failures too. *Asked*: others have to be asked, so that what the session decides by itself cannot depend on it.',
    '',
    '| fact | type | known from | kept | asked | meaning |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

async function actionsPage() {
  const { actionEntries, actionEvents, isFinal, isOpenToTenants, permittableActions, runnableChecks, skippableChecks } =
    await built('packages/rules/dist/index.js');
  const cell = (text) => text.replaceAll('|', '\\|');
  const names = (list) => list.map((name) => `\`${name}\``).join(', ');
  const whose = (kind) => {
    if (isOpenToTenants(kind)) return 'all';
    return permittableActions.includes(kind) ? 'operator; tenants with `ruleActions`' : 'operator';
  };
  const rows = actionEntries.map(
    ({ kind, doc }) =>
      `| \`${kind}\` | ${actionEvents(kind).join(', ')} | ${whose(kind)} | ${isFinal({ kind }) ? 'yes' : ''} | ${cell(doc)} |`,
  );
  const fields = actionEntries.flatMap(({ kind, fields: list }) =>
    list.map((field) => {
      const otherwise = field.required === true ? 'required' : (field.default ?? '');
      return `| \`${kind}\` | \`${field.name}\` | ${cell(field.type)} | ${cell(otherwise)} | ${cell(field.doc)} | \`${field.example}\` |`;
    }),
  );
  return [
    '# Actions of rules',
    '',
    'Generated from `packages/rules`. An entry of `then` is a word (`accept`) or an object with one key, the action, and its fields below it: `tag: { name: large }`.',
    'An action without required fields may be a word too. Facts can be [filled in](../rules.md#facts-in-texts) in texts, reasons and values of fields.',
    '',
    '| action | events | scopes | ends the judgement | what it does |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    '`setLimit` of `errors` is for `connect` to `auth`. Scopes: *all* = server, tenant, domain and user; *tenants with `ruleActions`*: what the operator opens to a tenant there.',
    '',
    '## Fields',
    '',
    '| action | field | what is allowed | default | meaning | for example |',
    '|---|---|---|---|---|---|',
    ...fields,
    '',
    `Checks of \`skip\`: ${names(skippableChecks)}.`,
    '',
    `Checks of \`run\`: ${names(runnableChecks)}.`,
    '',
  ].join('\n');
}

/** Line 1 of every dialog cites what it shows. `prefix`: how its folder is called in the table. */
function dialogsOf(folder, prefix) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((file) => file.endsWith('.smtp'))
    .map((file) => {
      const [line = ''] = readFileSync(join(root, folder, file), 'utf8').split('\n');
      const [, rfc, section, behaviour] = /^# RFC (\d+) §(\S+): (.*)$/.exec(line) ?? [undefined, '0', '', line];
      return { rfc: Number(rfc), section, behaviour, file: `${prefix}${file}` };
    });
}

function dialogsPage() {
  const folder = 'packages/e2e/conformance';
  const own = 'services/edge/src/smtp/dialogs';
  const rows = [...dialogsOf(folder, ''), ...dialogsOf(own, 'dialogs/')].sort(
    (a, b) =>
      a.rfc - b.rfc || a.section.localeCompare(b.section, 'en', { numeric: true }) || (a.file < b.file ? -1 : 1),
  );
  return [
    '# Dialogs by standard',
    '',
    `Generated from line 1 of the dialogs in \`${folder}\`, each spoken to the edge in its unit tests and to the edge of a whole cluster`,
    '(`npm run test:e2e -- packages/e2e/src/conformance`), and of those that need something to fail or time to pass: `dialogs/`, in',
    `\`${own}\`, spoken in the unit tests alone.`,
    '',
    '| RFC | section | behaviour | dialog |',
    '|---|---|---|---|',
    ...rows.map(
      ({ rfc, section, behaviour, file }) =>
        `| ${rfc} | ${section} | ${behaviour.replaceAll('|', '\\|')} | \`${file}\` |`,
    ),
    '',
  ].join('\n');
}

async function generatedFiles() {
  const { documentJsonSchema, documentMarkdown, jsonSchema, referenceMarkdown } = await built(
    'packages/config/dist/index.js',
  );
  const { operatorSchema } = await built('services/provisioning/dist/operator/schema.js');
  const { errorsMarkdown } = await built('packages/errors/dist/index.js');
  const { natsContainerConfiguration } = await built('packages/local/dist/containers/nats-conf.js');
  const declared = await Promise.all(services.map(declarations));
  const files = new Map();
  for (const { config } of declared) {
    files.set(`docs/reference/config/${config.name}.md`, referenceMarkdown(config));
    files.set(`docs/reference/config/${config.name}.schema.json`, json(jsonSchema(config)));
  }
  const operator = 'Operator settings';
  const text =
    'Generated from the schema of the operator file, which provisioning reads and watches. An unknown key is an error; a wrong file\nis refused whole, and the settings before it stay.';
  files.set('docs/reference/config/operator.md', documentMarkdown(operator, text, operatorSchema));
  files.set('docs/reference/config/operator.schema.json', json(documentJsonSchema(operator, operatorSchema)));
  files.set('docs/reference/metrics.md', await metricsPage(declared));
  files.set('docs/reference/events.md', await eventsPage(declared));
  files.set('docs/reference/errors.md', errorsMarkdown());
  files.set('docs/reference/rule-facts.md', await factsPage());
  files.set('docs/reference/rule-actions.md', await actionsPage());
  files.set('docs/reference/dialogs.md', dialogsPage());
  files.set('deploy/nats/nats.conf', natsContainerConfiguration());
  return files;
}

/** Files of the reference folder that nothing generates any more. */
function strays(files) {
  const folder = join(root, 'docs', 'reference');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !files.has(path));
}

async function main(checking) {
  const files = await generatedFiles();
  const differing = [...files].filter(([path, text]) => {
    const file = join(root, path);
    return !existsSync(file) || readFileSync(file, 'utf8') !== text;
  });
  const stray = strays(files);
  for (const path of [...differing.map(([path]) => path), ...stray]) {
    process.stdout.write(`${checking ? 'not what the code says' : 'written'}: ${path}\n`);
  }
  if (checking) return differing.length + stray.length === 0 ? 0 : 1;
  for (const [path, text] of differing) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const path of stray) rmSync(join(root, path));
  return 0;
}

const args = process.argv.slice(2);
if (args.includes('--pinned')) {
  process.exitCode = await main(args.includes('--check'));
} else {
  ensureInstalled();
  ensureBuilt();
  process.exitCode = await runPinned([join(root, 'packages', 'local', 'bin', 'reference.mjs'), '--pinned', ...args]);
}
