/** posternctl alias put|list|delete */
import type { Alias } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { type Column, table } from '../output.js';
import { allPages } from '../pages.js';
import { assertFilter, inKnownDomain } from '../unknown-filter.js';
import { warned } from '../warned.js';

const columns: readonly Column<Alias>[] = [
  { title: 'ADDRESS', value: (alias) => alias.address },
  { title: 'KIND', value: (alias) => (alias.group ? 'group' : 'alias') },
  { title: 'TENANT', value: (alias) => alias.tenant },
  { title: 'TARGETS', value: (alias) => alias.targets.join(' ') },
];

export function addAliasCommands(program: Command, run: Run): void {
  const alias = program.command('alias').description('aliases and groups');
  alias
    .command('put <address> <targets...>')
    .description('make or replace an alias')
    .option('--group', 'a distribution list: the envelope sender stays')
    .option('--etag <etag>', 'only if nobody changed it since')
    .action((address: string, targets: string[], options: { group?: boolean; etag?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const wanted = { address, tenant: '', targets, group: options.group === true, etag: options.etag ?? '' };
        const { alias: stored, warnings } = await inKnownDomain(address, api.call(api.rpc.putAlias, { alias: wanted }));
        if (stored !== undefined)
          output.show({ ...stored, warnings }, () => warned(table([stored], columns, ''), warnings));
      }),
    );
  alias
    .command('list')
    .description('every alias and group the key may see')
    .option('--domain <name>', 'of that domain only')
    .action((options: { domain?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const rows = await allPages(async (page) => {
          const answer = await api.call(api.rpc.listAliases, { ...page, domain: options.domain ?? '' });
          return { rows: answer.aliases, nextPageToken: answer.nextPageToken };
        });
        await assertFilter(api, rows, options);
        output.show(rows, () => table(rows, columns, 'No aliases.'));
      }),
    );
  alias
    .command('delete <address>')
    .description('remove an alias or group')
    .action((address: string, _options: object, command: Command) =>
      run(command, async ({ api, output }) => {
        const { warnings } = await api.call(api.rpc.deleteAlias, { address });
        output.show({ deleted: address, warnings }, () => warned(`Deleted ${address}.`, warnings));
      }),
    );
}
