/**
 * Judges the whole configuration before any process is started. Every service brings a module `config-check.js` that knows its own fields;
 * here their problems are put together, each once, in the order of the person's file.
 */
import {
  type ConfigCheck,
  ConfigError,
  type ConfigText,
  type LocatedMap,
  locateTop,
  type Problem,
  pathText,
  placeOf,
  problemLine,
} from '@postern/config';
import { SetupError } from '../setup-error.js';
import type { EdgePorts, ServiceName, ServicePlan } from '../supervisor/plan.js';
import { type PortConflict, portConflicts } from '../supervisor/port-conflicts.js';
import type { Document } from './context.js';
import { matchPools } from './matching-pools.js';

export type CheckerOf = (service: ServiceName) => Promise<ConfigCheck>;

/** What npm start decides itself, since it must find its processes again. */
const decidedHere = [
  ['telemetry', 'metrics'],
  ['edge', 'listeners'],
  ['edge', 'podName'],
  ['edge', 'portOffset'],
  ['policy', 'podName'],
  ['delivery', 'podName'],
  ['queue', 'podName'],
  ['provisioning', 'listen'],
  ['provisioning', 'operatorFile'],
  ['provisioning', 'operatorOverlayFile'],
  ['provisioning', 'operatorOverlayTakenFile'],
  ['nats', 'servers'],
  ['nats', 'user'],
  ['nats', 'passwordFile'],
  ['redis', 'url'],
  ['redis', 'username'],
  ['redis', 'passwordFile'],
  ['database', 'url'],
  ['database', 'passwordFile'],
];
/** Those that differ from process to process. */
const each = ['podName', 'portOffset'];
/** How servers of one's own are named instead: all processes must call the same, and those that it starts must end. */
const storeVariables: Readonly<Record<string, string>> = {
  nats: 'POSTERN_NATS_URL',
  redis: 'POSTERN_REDIS_URL',
  database: 'POSTERN_DATABASE_URL',
};

const isChecker = (value: unknown): value is { readonly checkConfig: ConfigCheck } =>
  typeof value === 'object' && value !== null && 'checkConfig' in value && typeof value.checkConfig === 'function';

/** The checker a service was built with. */
export const builtChecker: CheckerOf = async (service) => {
  const module: unknown = await import(
    new URL(`../../../../services/${service}/dist/config-check.js`, import.meta.url).href
  );
  if (!isChecker(module)) throw new TypeError(`${service} brings no config-check`);
  return module.checkConfig;
};

export interface CheckInput {
  readonly processes: readonly { readonly plan: ServicePlan; readonly generated: string }[];
  readonly operatorFile: ConfigText;
  readonly ownFile: ConfigText | undefined;
  readonly environment: NodeJS.ProcessEnv;
  readonly checkerOf: CheckerOf;
  /** Ports of edge k at index k. */
  readonly edges: readonly EdgePorts[];
  /** Told what only the running servers know to be wrong or right. */
  readonly note: (line: string) => void;
  /** How many problems are told; of more only their number. */
  readonly shownProblems: number;
}

/** Sections of the own file by service. Throws SetupError with one line per problem. */
export async function checkConfiguration(input: CheckInput): Promise<ReadonlyMap<ServiceName, Document>> {
  const { ownFile, operatorFile, environment: env, shownProblems } = input;
  const overlays = ownFile === undefined ? [] : [ownFile];
  const sections = new Map<ServiceName, Document>();
  const pools = new Map<ServiceName, readonly string[]>();
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  for (const { plan, generated } of input.processes) {
    const check = await input.checkerOf(plan.service);
    const result = check({ base: { file: plan.configFile, text: generated }, overlays, env, operatorFile });
    problems.push(...result.problems);
    notes.push(...(result.notes ?? []));
    sections.set(plan.service, result.sections);
    if (result.egressPools !== undefined) pools.set(plan.service, result.egressPools);
  }
  const matching = matchPools(ownFile, pools.get('provisioning'), pools.get('delivery'));
  problems.push(...matching.problems);
  notes.push(...matching.notes);
  if (ownFile !== undefined) {
    const decided = decidedByStart(ownFile);
    // What the field says does not matter where there shall be none.
    const others = problems.filter(({ path }) => !decided.some((one) => path === one.path));
    problems.splice(0, problems.length, ...others, ...decided);
    problems.push(...wantedTwice(ownFile, portConflicts(sections.get('edge') ?? {}, input.edges)));
  }
  if (problems.length > 0) throw new SetupError(linesOf(problems, shownProblems), wayOut(problems, ownFile?.file));
  for (const note of notes) input.note(problemLine(note));
  return sections;
}

function decidedByStart(ownFile: ConfigText): Problem[] {
  const top = topOf(ownFile);
  if (top === undefined) return [];
  return decidedHere.flatMap((path) => {
    const [section = '', field = ''] = path;
    const within = top.entries.get(section)?.value;
    if (within?.kind !== 'map' || !within.entries.has(field)) return [];
    const variable = storeVariables[section];
    const ports = each.includes(field) ? 'each process has its own' : 'ports follow --port-base';
    const why = variable === undefined ? ports : `${variable} in the environment names servers of your own`;
    const message = `is decided by npm start (${why}); expected no such field here`;
    return [{ place: placeOf(top, path), path: pathText(path), message }];
  });
}

function wantedTwice(ownFile: ConfigText, conflicts: readonly PortConflict[]): Problem[] {
  const top = topOf(ownFile);
  if (top === undefined) return [];
  return conflicts.map(({ index, message }) => {
    const path = ['edge', 'moreListeners', index, 'address'];
    return { place: placeOf(top, path), path: pathText(path), message };
  });
}

function topOf(text: ConfigText): LocatedMap | undefined {
  try {
    return locateTop(text);
  } catch (error) {
    // No YAML: every service has said so.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

const lineNumber = ({ place }: Problem): number => Number(/:(\d+)$/.exec(place)?.[1] ?? 0);

function linesOf(problems: readonly Problem[], shown: number): string {
  const lines = [...new Set(problems.toSorted((a, b) => lineNumber(a) - lineNumber(b)).map(problemLine))];
  const more = lines.length - shown;
  return [...lines.slice(0, shown), ...(more > 0 ? [`and ${more} more, which --check shows`] : [])].join('\n');
}

function wayOut(problems: readonly Problem[], file: string | undefined): string {
  const environment = problems.find(({ place }) => place.startsWith('env '))?.place.slice(4);
  if (environment !== undefined) return `correct or unset ${environment}, then start again; nothing was started.`;
  return file === undefined
    ? 'this is a defect of npm start: report these lines.'
    : `correct ${file}, then start again; nothing was started.`;
}
