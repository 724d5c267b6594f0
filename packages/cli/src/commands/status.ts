/** posternctl status: what is up, what the streams really guarantee, which configuration is live. */
import { dirname, join } from 'node:path';
import type { Suspicion } from '@postern/proto/policy/v1/limit_service';
import type {
  DependencyStatus,
  GetStatusResponse,
  StreamStatus,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { Command } from 'commander';
import type { CommandContext, Run } from '../context.js';
import { age, bytes, type Column, facts, printable, table } from '../output.js';
import { isRunning, type ProcessState, processColumns, processStates } from '../processes.js';
import type { RunFile } from '../settings.js';

const streamColumns: readonly Column<StreamStatus>[] = [
  { title: 'STREAM', value: (stream) => stream.name },
  { title: 'COPIES', value: (stream) => `${stream.replicasCurrent}/${stream.replicas}`, right: true },
  { title: 'STORAGE', value: (stream) => stream.storage },
  { title: 'SYNC', value: (stream) => stream.sync },
  { title: 'MESSAGES', value: (stream) => stream.messages, right: true },
  { title: 'BYTES', value: (stream) => bytes(stream.bytes), right: true },
  { title: 'LIMIT', value: (stream) => bytes(stream.maxBytes), right: true },
];

/** What one service sees in one state, for one reason. */
interface Seen {
  readonly service: string;
  readonly names: string;
  readonly state: string;
  readonly detail: string;
}

const seenColumns: readonly Column<Seen>[] = [
  { title: 'SERVICE', value: (seen) => seen.service },
  { title: 'SEES', value: (seen) => seen.names },
  { title: 'STATE', value: (seen) => seen.state },
  { title: 'DETAIL', value: (seen) => printable(seen.detail) },
];

/** What is well stands together; everything else has a line of its own. */
function seenBy(service: string, dependencies: readonly DependencyStatus[]): Seen[] {
  const isWell = ({ state }: DependencyStatus): boolean => state === 'ok';
  const well = dependencies.filter(isWell).map(({ name }) => name);
  return [
    ...(well.length === 0 ? [] : [{ service, names: well.join(', '), state: 'ok', detail: '' }]),
    ...dependencies
      .filter((dependency) => !isWell(dependency))
      .map(({ name, state, detail }) => ({ service, names: name, state, detail })),
  ];
}

const silent = (service: string): Seen => ({
  service,
  names: '',
  state: 'no answer',
  detail: 'none of its processes runs, or none is connected to NATS',
});

/** An older provisioning does not ask the others. */
const allSeen = ({ dependencies, services }: GetStatusResponse): Seen[] => [
  ...seenBy('provisioning', dependencies),
  ...services.flatMap((view) =>
    view.dependencies.length === 0 ? [silent(view.service)] : seenBy(view.service, view.dependencies),
  ),
];

const suspected: Readonly<Record<string, string>> = {
  unexpected_proxy:
    'a PROXY header where none is due, or after the banner: name the proxy in trustedProxies and switch proxyProtocol on, or send none',
  missing_proxy: 'no PROXY header where one is due: switch it on at the proxy, or proxyProtocol off here',
  source_nat:
    'nearly all sessions from one private address: clients are hidden by source NAT; relay and list rights of that address are withheld',
};

const suspicionColumns: readonly Column<Suspicion>[] = [
  { title: 'LISTENER', value: (suspicion) => suspicion.listener },
  { title: 'SEEN OF', value: (suspicion) => suspicion.address },
  { title: 'AGO', value: (suspicion) => age(suspicion.ageMs), right: true },
  { title: 'SUSPECTED', value: (suspicion) => suspected[suspicion.kind] ?? suspicion.kind },
];

/** Stated separately (design.md, invariant 1): a lost node and a lost power supply are not the same thing. */
function guarantee(streams: readonly StreamStatus[]): string {
  if (streams.length === 0) return 'Durability: unknown, the streams cannot be read.';
  const copies = Math.min(...streams.map((stream) => stream.replicasCurrent));
  const syncs = new Set(streams.map((stream) => stream.sync));
  const sync = syncs.has('unknown') ? 'unknown' : syncs.has('interval') ? 'interval' : 'always';
  const node = copies >= 3 ? 'a lost node loses nothing' : 'one copy: a lost disk loses the mail on it';
  const power =
    sync === 'always'
      ? 'a power failure loses nothing (every write is synced)'
      : sync === 'interval'
        ? 'a power failure of all copies may lose the last writes (synced at intervals)'
        : 'what a power failure loses is unknown (no monitor answers)';
  return `Durability: ${node}; ${power}.`;
}

/** Mail that waits for a person is said, not only counted. */
function parked(streams: readonly StreamStatus[]): string[] {
  const count = streams.find(({ name }) => name === 'PARKED')?.messages ?? 0;
  return count === 0 ? [] : [`PARKED holds ${count} that nobody could work on: posternctl queue parked`];
}

/** What somebody wrote and believes to be in effect, and is not. */
function notInEffect({
  refusedOperatorFile: file,
  staleRules,
  postponedFields,
  settingsNotInEffect: settings,
}: GetStatusResponse): string[] {
  const refused =
    file === undefined
      ? []
      : [
          `The operator file was refused ${age(file.ageMs)} ago; until it is corrected the settings before it stay in effect:`,
          ...file.problems.map((problem) => `  ${printable(problem)}`),
        ];
  const stale =
    staleRules === ''
      ? []
      : [
          "Pods cannot use the operator's newest rules and judge by those before them:",
          ...staleRules.split('\n').map((line) => `  ${printable(line)}`),
        ];
  const waiting =
    postponedFields.length === 0
      ? []
      : [
          'Changed in the operator file, and in effect after the next start only; the rest of it holds now:',
          ...postponedFields.map((field) => `  ${printable(field)}`),
        ];
  const leftOut =
    settings.length === 0
      ? []
      : [
          "What tenants set for checks and the operator's settings of now do not allow; of each such check nothing is in effect:",
          ...settings.map((line) => `  ${printable(line)}`),
        ];
  const all = [...refused, ...stale, ...waiting, ...leftOut];
  return all.length === 0 ? [] : [...all, ''];
}

/** What the settings of the start before said, and this start was not given. */
const leftAway = (found: RunFile | undefined): string[] =>
  found?.configFileBefore === undefined
    ? []
    : [
        `Started without the --config of last time, ${printable(found.configFileBefore)}: its settings are not in effect; tenants, domains and users it made stay.`,
        '',
      ];

/** Why those that are not ready are not, in their own words. */
const notReady = ({ processes }: Local): string[] =>
  processes.flatMap(({ name, reason }) =>
    reason === undefined ? [] : [`${name} is not ready: ${printable(reason.slice(0, 300))}`],
  );

/** Where one that is gone, or does not answer, has said why. */
function logsOf({ processes, supervisorGone }: Local, found: RunFile | undefined): string[] {
  if (found === undefined || supervisorGone !== undefined) return [];
  const silent = processes.filter(
    ({ state, metrics }) => metrics !== undefined && (state === 'gone' || state === 'does not answer'),
  );
  return silent.map(
    ({ name, state }) =>
      `Why ${name} ${state === 'gone' ? 'is gone' : state}: ${join(dirname(found.file), 'logs', `${name}.log`)}`,
  );
}

type Answer =
  | { readonly ok: true; readonly status: GetStatusResponse }
  | { readonly ok: false; readonly error: unknown };

async function statusOf({ api }: CommandContext): Promise<Answer> {
  try {
    return { ok: true, status: await api.call(api.rpc.getStatus, {}) };
  } catch (error) {
    return { ok: false, error };
  }
}

/** What runs on this machine; empty for a cluster elsewhere. */
interface Local {
  readonly processes: readonly ProcessState[];
  /** Absent as long as it lives. */
  readonly supervisorGone?: { readonly pid: number };
}

async function localState(found: RunFile | undefined): Promise<Local> {
  const processes = await processStates(found?.processes ?? []);
  const supervisor = found?.supervisor;
  if (supervisor === undefined || isRunning(supervisor)) return { processes };
  return { processes, supervisorGone: { pid: supervisor.pid } };
}

function localText({ processes, supervisorGone }: Local, found: RunFile | undefined, standing: string): string[] {
  const why = notReady({ processes });
  const shown =
    processes.length === 0 ? [] : [table(processes, processColumns, ''), '', ...why, ...(why.length === 0 ? [] : [''])];
  if (supervisorGone === undefined || found === undefined) return shown;
  const folder = dirname(found.file);
  const data = folder === join(standing, '.postern') ? '' : ` --data ${folder}`;
  const left = processes.filter(({ state }) => state !== 'gone').length;
  return [
    `The supervisor (pid ${supervisorGone.pid}) is gone. ${left === 0 ? 'Nothing of the cluster runs any more.' : `${left} of its processes run on; one that ends is not started again.`}`,
    `Way out: \`npm start${data === '' ? '' : ` --${data}`}\`, with the options it had, ${left === 0 ? 'starts it again' : 'ends what is left and starts the cluster again'}; \`npm start -- --stop${data}\` only clears up.`,
    '',
    ...shown,
  ];
}

export function addStatusCommand(program: Command, run: Run): void {
  program
    .command('status')
    .description('state of the cluster')
    .action((_options: object, command: Command) =>
      run(command, async (context) => {
        const { output, folder } = context;
        const found = context.run();
        const local = await localState(found);
        const isLocal = local.processes.length > 0;
        const answer = await statusOf(context);
        if (!answer.ok) {
          // Which processes are gone is the reason, more likely than not.
          if (isLocal)
            output.show(local, () =>
              [...localText(local, found, folder), ...logsOf(local, found)].join('\n').trimEnd(),
            );
          throw answer.error;
        }
        const { status } = answer;
        output.show(isLocal ? { ...status, ...local } : status, () =>
          [
            facts([
              ['snapshot', status.snapshotVersion === 0 ? 'none published' : `version ${status.snapshotVersion}`],
              ['to publish', status.outboxPending],
            ]),
            '',
            ...notInEffect(status),
            ...leftAway(found),
            ...localText(local, found, folder),
            table(allSeen(status), seenColumns, ''),
            '',
            table(status.streams, streamColumns, 'Streams cannot be read.'),
            '',
            guarantee(status.streams),
            ...parked(status.streams),
            ...(status.suspicions.length === 0 ? [] : ['', table(status.suspicions, suspicionColumns, '')]),
          ].join('\n'),
        );
      }),
    );
}
