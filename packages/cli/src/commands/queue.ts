/** posternctl queue summary|list|retry|hold|release|bounce|delete; `parked` is in parked.ts */
import { type LaneSummary, Operation, type Selection, type WaitingItem } from '@postern/proto/queue/v1/queue_service';
import { type Command, Option } from 'commander';
import { confirm } from '../confirm.js';
import type { Run } from '../context.js';
import { duration, wholeNumber } from '../numbers.js';
import { age, bytes, type Column, printable, table, time } from '../output.js';
import { PlainError, UsageError } from '../usage-error.js';
import { addParkedCommands } from './parked.js';
import { unfitText } from './unfit-text.js';
import { unreportedText } from './unreported-text.js';

const laneColumns: readonly Column<LaneSummary>[] = [
  { title: 'TENANT', value: (lane) => lane.tenant },
  { title: 'LANE', value: (lane) => lane.lane },
  { title: 'READY', value: (lane) => lane.ready, right: true },
  { title: 'DEFERRED', value: (lane) => lane.deferred, right: true },
  { title: 'HELD', value: (lane) => lane.held, right: true },
  { title: 'QUARANTINED', value: (lane) => lane.quarantined, right: true },
  { title: 'OLDEST', value: (lane) => age(lane.oldestMs), right: true },
  { title: 'NEXT ATTEMPT', value: (lane) => time(lane.nextAttemptAtMs) },
  { title: 'LAST REPLY', value: (lane) => lane.lastReply },
];

/** Nothing is due of what waits for a person. */
const dueText = ({ state, dueAtMs, expiresAtMs }: WaitingItem): string =>
  state === 'held' || state === 'quarantined' ? `kept until ${time(expiresAtMs)}` : time(dueAtMs);

const itemColumns: readonly Column<WaitingItem>[] = [
  { title: 'QUEUE ID', value: (item) => item.queueId },
  { title: 'STATE', value: (item) => item.state },
  { title: 'RECIPIENT', value: (item) => item.recipient },
  { title: 'FROM', value: (item) => item.reversePath || '<>' },
  { title: 'TENANT', value: (item) => item.tenant },
  { title: 'LANE', value: (item) => item.lane },
  { title: 'TRIES', value: (item) => item.attempts, right: true },
  { title: 'DUE', value: dueText },
  { title: 'SIZE', value: (item) => bytes(item.size), right: true },
  { title: 'LAST REPLY', value: (item) => item.lastReply },
];

interface SelectionOptions {
  readonly domain?: string;
  readonly lane?: string;
  readonly recipient?: string;
  readonly sender?: string;
  readonly state?: string;
  readonly olderThan?: number;
  readonly tenant?: string;
  readonly all?: boolean;
}

interface OperationOptions extends SelectionOptions {
  readonly reason?: string;
  readonly yes?: boolean;
}

function withSelection(command: Command): Command {
  return command
    .option('--domain <name>', 'to recipients in this domain')
    .option('--lane <name>', 'lane: to one next hop, as `queue summary` names it')
    .option('--recipient <address>', 'to this recipient, in capital or small letters')
    .option('--sender <address>', 'from this reverse-path, in capital or small letters')
    .addOption(
      new Option('--state <state>', 'only in this state').choices([
        'ready',
        'deferred',
        'held',
        'quarantined',
        'dispatched',
      ]),
    )
    .option('--older-than <duration>', 'only what waits longer, such as 2h', duration)
    .option('--tenant <name>', 'of that tenant only (operators)');
}

function selectionOf(queueIds: readonly string[], options: SelectionOptions): Selection {
  return {
    queueIds: [...queueIds],
    domain: options.domain ?? '',
    lane: options.lane ?? '',
    recipient: options.recipient ?? '',
    reversePath: options.sender ?? '',
    state: options.state ?? '',
    olderThanMs: options.olderThan ?? 0,
    all: options.all === true,
  };
}

function restricts(selection: Selection): boolean {
  return (
    selection.all ||
    selection.queueIds.length > 0 ||
    selection.olderThanMs > 0 ||
    [selection.domain, selection.lane, selection.recipient, selection.reversePath, selection.state].some(
      (text) => text !== '',
    )
  );
}

/** What ends for good with everything it is done to; `undefined`: it can be undone. */
const endings: Partial<Record<Operation, string>> = {
  [Operation.BOUNCE]: 'with a report to the sender, if it can be sent one',
  [Operation.DELETE]: 'without a report',
};

function endingText(ending: string, { all: _all, tenant, ...others }: SelectionOptions): string {
  const named = selectionOf([], others);
  const narrowed = restricts(named) ? ' and the other options name' : '';
  const whose =
    tenant === undefined ? `${narrowed}, of every tenant the key may see,` : `${narrowed} of tenant ${tenant}`;
  return `Everything that waits${whose} is given up ${ending}, and cannot be had back.`;
}

const operations = [
  ['retry', Operation.RETRY, 'try now'],
  ['hold', Operation.HOLD, 'stop attempts until released'],
  ['release', Operation.RELEASE, 'let held or quarantined mail go on'],
  ['bounce', Operation.BOUNCE, 'give up with a report to the sender, if it can be sent one'],
  ['delete', Operation.DELETE, 'give up without a report'],
] as const;

export function addQueueCommands(program: Command, run: Run): void {
  const queue = program.command('queue').description('mail that waits');
  queue
    .command('summary', { isDefault: true })
    .description('counts by lane')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const { result } = await api.call(api.rpc.queueSummary, { query: { tenant: options.tenant ?? '' } });
        const lanes = result?.lanes ?? [];
        const streams = Object.entries(result?.streams ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
        const unservedPools = result?.unservedPools ?? [];
        output.show({ lanes, streams: Object.fromEntries(streams), unservedPools }, () => {
          const flow = streams.map(([name, count]) => `${name} ${count}`).join(', ');
          const unserved = unservedPools.map(({ pool, messages }) => `${messages} for egress pool ${pool}`).join(', ');
          return [
            table(lanes, laneColumns, unserved === '' ? 'Nothing waits.' : 'No rows wait.'),
            ...(flow === '' ? [] : [`In the streams: ${flow}`]),
            ...(unserved === '' ? [] : [`In WORK and no delivery pod takes it: ${unserved}`]),
          ].join('\n\n');
        });
      }),
    );
  withSelection(queue.command('list'))
    .summary('what waits, in the order it was accepted')
    .description(
      'what waits, in the order it was accepted. Mail in its first attempt is in WORK and not here: `queue summary` counts it, `trace` shows how far it is',
    )
    .option('--limit <n>', 'at most this many', wholeNumber(1, 100_000), 100)
    .action((options: SelectionOptions & { limit: number }, command: Command) =>
      run(command, async ({ api, output }) => {
        const items: WaitingItem[] = [];
        let pageToken = '';
        do {
          const pageSize = Math.min(1_000, options.limit - items.length);
          const query = { tenant: options.tenant ?? '', selection: selectionOf([], options), pageSize, pageToken };
          const { result } = await api.call(api.rpc.listQueue, { query });
          items.push(...(result?.items ?? []));
          pageToken = result?.nextPageToken ?? '';
        } while (pageToken !== '' && items.length < options.limit);
        output.show(items, () => table(items, itemColumns, 'Nothing waits.'));
      }),
    );
  for (const [verb, operation, text] of operations) {
    const ending = endings[operation];
    const operate = withSelection(queue.command(`${verb} [queue-ids...]`))
      .summary(text)
      .description(`${text}: what the ids or options name`)
      .option('--all', 'everything the key may see')
      .option('--reason <text>', 'kept in the trace')
      .action((queueIds: string[], options: OperationOptions, command: Command) =>
        run(command, async ({ api, output, terminal }) => {
          const selection = selectionOf(queueIds, options);
          if (!restricts(selection)) throw new UsageError(`queue ${verb}: name queue ids, a selection, or --all`);
          if (ending !== undefined && selection.all && queueIds.length === 0)
            await confirm(endingText(ending, options), options, terminal);
          const query = { tenant: options.tenant ?? '', operation, selection, reason: options.reason ?? '', actor: '' };
          const { result } = await api.call(api.rpc.operateQueue, { query });
          const changed = result?.changed ?? 0;
          const unfit = result?.unfit ?? {};
          const left = unfitText(operation, unfit);
          if (changed === 0 && left.length > 0 && !output.json) throw new PlainError(left.join('; '));
          if (changed === 0 && queueIds.length > 0 && !output.json)
            throw new PlainError(
              `nothing that waits has ${queueIds.length === 1 ? 'this id' : 'one of these ids'}: ${queueIds.slice(0, 5).map(printable).join(' ')}`,
            );
          const unreported = result?.unreported ?? {};
          const told = operation === Operation.BOUNCE ? { changed, unreported, unfit } : { changed, unfit };
          output.show(told, () =>
            [
              `${changed} recipient${changed === 1 ? '' : 's'} changed.`,
              ...left.map((line) => `Not changed: ${line}.`),
              ...unreportedText(unreported),
            ].join('\n'),
          );
        }),
      );
    if (ending !== undefined) operate.option('--yes', 'without asking, also with --all');
  }
  addParkedCommands(queue, run);
}
