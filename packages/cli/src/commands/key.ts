/** posternctl key create|list|delete */
import type { ApiKey } from '@postern/proto/provisioning/v1/resources';
import { type Command, Option } from 'commander';
import type { Run } from '../context.js';
import { duration } from '../numbers.js';
import { type Column, table, time } from '../output.js';
import { assertFilter } from '../unknown-filter.js';

const columns: readonly Column<ApiKey>[] = [
  { title: 'KEY', value: (key) => key.id },
  { title: 'ROLE', value: (key) => key.role },
  { title: 'TENANT', value: (key) => key.tenant || '(all)' },
  { title: 'CREATED', value: (key) => time(key.createdAtMs) },
  { title: 'EXPIRES', value: (key) => time(key.expiresAtMs) },
];

export function addKeyCommands(program: Command, run: Run): void {
  const key = program.command('key').description('API keys');
  key
    .command('create')
    .description('make a key; its secret is shown once')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['operator', 'tenant-admin', 'tenant-reader'])
        .default('tenant-admin'),
    )
    .option('--tenant <name>', 'its tenant (operators)')
    .option('--expires-in <duration>', 'no longer valid after this, such as 90d', duration)
    .action((options: { role: string; tenant?: string; expiresIn?: number }, command: Command) =>
      run(command, async ({ api, output, now }) => {
        const apiKey = {
          id: '',
          tenant: options.tenant ?? '',
          role: options.role,
          secret: '',
          createdAtMs: 0,
          expiresAtMs: options.expiresIn === undefined ? 0 : now() + options.expiresIn,
        };
        const made = (await api.call(api.rpc.createApiKey, { apiKey })).apiKey;
        if (made !== undefined)
          output.show(made, () => `${made.secret}\n\nShown once. Keep it in a file and name it with --key-file.`);
      }),
    );
  key
    .command('list')
    .description('keys without their secrets')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const { apiKeys } = await api.call(api.rpc.listApiKeys, { tenant: options.tenant ?? '' });
        await assertFilter(api, apiKeys, options);
        const shown = apiKeys.map(({ secret: _never, ...rest }) => rest);
        output.show(shown, () => table(apiKeys, columns, 'No keys.'));
      }),
    );
  key
    .command('delete <id>')
    .description('revoke a key; effective at once')
    .action((id: string, _options: object, command: Command) =>
      run(command, async ({ api, output }) => {
        await api.call(api.rpc.deleteApiKey, { id });
        output.show({ deleted: id }, () => `Deleted ${id}.`);
      }),
    );
}
