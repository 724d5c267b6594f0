/** posternctl tenant create|list|get|suspend|resume */
import type { Tenant } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { CommandContext, Run } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { type Column, facts, table, time } from '../output.js';
import { allPages } from '../pages.js';

const columns: readonly Column<Tenant>[] = [
  { title: 'TENANT', value: (tenant) => tenant.name },
  { title: 'STATE', value: (tenant) => tenant.state },
  { title: 'WEIGHT', value: (tenant) => tenant.weight, right: true },
  { title: 'CREATED', value: (tenant) => time(tenant.createdAtMs) },
  { title: 'NAME', value: (tenant) => tenant.displayName },
];

export const blankTenant: Tenant = { name: '', displayName: '', state: '', etag: '', createdAtMs: 0, weight: 0 };

function tell({ output }: CommandContext, tenant: Tenant | undefined): void {
  if (tenant === undefined) return;
  output.show(tenant, () =>
    facts([
      ['tenant', tenant.name],
      ['name', tenant.displayName],
      ['state', tenant.state],
      ['weight', tenant.weight],
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
