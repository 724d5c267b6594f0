/** posternctl tenant create|list|get|set|limit|suspend|resume */
import type { MessageLimit, Tenant } from '@postern/proto/provisioning/v1/resources';
import { type Command, InvalidArgumentError } from 'commander';
import type { CommandContext, Run } from '../context.js';
import { byteCount, duration, wholeNumber } from '../numbers.js';
import { age, bytes, type Column, facts, table, time } from '../output.js';
import { allPages } from '../pages.js';
import { UsageError } from '../usage-error.js';
import { addSetCommand } from './set-checks.js';

const columns: readonly Column<Tenant>[] = [
  { title: 'TENANT', value: (tenant) => tenant.name },
  { title: 'STATE', value: (tenant) => tenant.state },
  { title: 'WEIGHT', value: (tenant) => tenant.weight, right: true },
  { title: 'CREATED', value: (tenant) => time(tenant.createdAtMs) },
  { title: 'NAME', value: (tenant) => tenant.displayName },
];

export const blankTenant: Tenant = {
  name: '',
  displayName: '',
  state: '',
  etag: '',
  createdAtMs: 0,
  weight: 0,
  messageLimit: undefined,
  userMessageLimit: undefined,
};

const most = 4_294_967_295;

function limitText(limit: MessageLimit | undefined): string {
  if (limit === undefined) return 'no limit of its own';
  const parts = [
    limit.messages === 0 ? [] : [`${limit.messages} messages`],
    limit.recipients === 0 ? [] : [`${limit.recipients} recipients`],
    limit.bytes === 0 ? [] : [bytes(limit.bytes)],
  ].flat();
  return `${parts.join(', ')} per ${age(limit.intervalMs)}`;
}

interface LimitOptions {
  readonly messages?: number;
  readonly recipients?: number;
  readonly bytes?: number;
  readonly per?: number;
  readonly eachUser?: boolean;
  readonly none?: boolean;
}

const [shortestPer, longestPer] = [1_000, 86_400_000];

/** Milliseconds. */
function interval(text: string): number {
  const value = duration(text);
  if (value < shortestPer || value > longestPer) throw new InvalidArgumentError('Expected an interval from 1s to 1d.');
  return value;
}

function limitOf({ messages = 0, recipients = 0, bytes: size = 0, per = 0, none }: LimitOptions): MessageLimit {
  if (none === true && messages + recipients + size + per > 0)
    throw new UsageError('give either --none or a limit, not both');
  if (none !== true && messages + recipients + size === 0)
    throw new UsageError('name a limit: --messages, --recipients or --bytes; or --none');
  return none === true
    ? { messages: 0, recipients: 0, bytes: 0, intervalMs: 0 }
    : { messages, recipients, bytes: size, intervalMs: per };
}

function tell({ output }: CommandContext, tenant: Tenant | undefined): void {
  if (tenant === undefined) return;
  output.show(tenant, () =>
    facts([
      ['tenant', tenant.name],
      ['name', tenant.displayName],
      ['state', tenant.state],
      ['weight', tenant.weight],
      ['submits', limitText(tenant.messageLimit)],
      ['each user', limitText(tenant.userMessageLimit)],
      ['created', time(tenant.createdAtMs)],
      ['etag', tenant.etag],
    ]),
  );
}

export function addTenantCommands(program: Command, run: Run): void {
  const tenant = program.command('tenant').description('tenants: who owns domains and mail');
  tenant
    .command('create <name>')
    .description('make a tenant')
    .option('--display-name <text>', 'name for people')
    .option('--weight <n>', 'share in dispatch, 1 to 100', wholeNumber(1, 100))
    .option('--request-id <id>', 'the same id again makes nothing twice')
    .action((name: string, options: { displayName?: string; weight?: number; requestId?: string }, command: Command) =>
      run(command, async (context) => {
        const { api } = context;
        const wanted = { ...blankTenant, name, displayName: options.displayName ?? '', weight: options.weight ?? 0 };
        const request = { tenant: wanted, requestId: options.requestId ?? '' };
        tell(context, (await api.call(api.rpc.createTenant, request)).tenant);
      }),
    );
  tenant
    .command('list')
    .description('every tenant the key may see')
    .action((_options: object, command: Command) =>
      run(command, async ({ api, output }) => {
        const rows = await allPages(async (page) => {
          const answer = await api.call(api.rpc.listTenants, page);
          return { rows: answer.tenants, nextPageToken: answer.nextPageToken };
        });
        output.show(rows, () => table(rows, columns, 'No tenants.'));
      }),
    );
  tenant
    .command('get <name>')
    .description('one tenant')
    .action((name: string, _options: object, command: Command) =>
      run(command, async (context) => {
        tell(context, (await context.api.call(context.api.rpc.getTenant, { name })).tenant);
      }),
    );
  tenant
    .command('limit <name>')
    .description(
      'how much a tenant may submit per interval, or with --each-user each of its users; what is left out is not limited',
    )
    .option('--messages <n>', 'messages', wholeNumber(1, most))
    .option('--recipients <n>', 'recipients', wholeNumber(1, most))
    .option('--bytes <size>', 'bytes as received, such as 500MiB', byteCount)
    .option('--per <interval>', 'interval, 1s to 1d (default 1h)', interval)
    .option('--each-user', 'of each user; a tenant sets this itself')
    .option('--none', 'take the limit back')
    .action((name: string, options: LimitOptions, command: Command) =>
      run(command, async (context) => {
        const { api } = context;
        const limit = limitOf(options);
        const field = options.eachUser === true ? 'userMessageLimit' : 'messageLimit';
        const updateMask = [options.eachUser === true ? 'user_message_limit' : 'message_limit'];
        const request = { tenant: { ...blankTenant, name, [field]: limit }, updateMask };
        tell(context, (await api.call(api.rpc.updateTenant, request)).tenant);
      }),
    );
  addSetCommand(tenant, run, async (_context, name) => ({ tenant: name, scope: '' }));
  const states = [
    ['suspend', 'suspended', 'stop logins and mail of a tenant; nothing is deleted'],
    ['resume', 'active', 'let a suspended tenant go on'],
  ] as const;
  for (const [verb, state, text] of states) {
    tenant
      .command(`${verb} <name>`)
      .description(text)
      .action((name: string, _options: object, command: Command) =>
        run(command, async (context) => {
          const { api } = context;
          const request = { tenant: { ...blankTenant, name, state }, updateMask: ['state'] };
          tell(context, (await api.call(api.rpc.updateTenant, request)).tenant);
        }),
      );
  }
}
