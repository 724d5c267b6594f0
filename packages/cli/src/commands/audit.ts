/** posternctl audit list: who changed what through the API, newest first. */
import type { AuditEntry } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { duration, wholeNumber } from '../numbers.js';
import { type Column, printable, table, time } from '../output.js';
import { assertFilter } from '../unknown-filter.js';

interface ListOptions {
  readonly tenant?: string;
  readonly method?: string;
  readonly resource?: string;
  readonly since?: number;
  readonly limit: number;
}

const mostPage = 1_000;

const columns: readonly Column<AuditEntry>[] = [
  { title: 'TIME', value: ({ atMs }) => time(atMs) },
  { title: 'TENANT', value: ({ tenant }) => tenant || '(service)' },
  { title: 'KEY', value: ({ actor, role }) => actor || `(${role})` },
  { title: 'METHOD', value: ({ method }) => method },
  { title: 'RESOURCE', value: ({ resource }) => printable(resource) },
  { title: 'DETAIL', value: ({ detail }) => (detail === '{}' ? '' : printable(detail)) },
];

export function addAuditCommands(program: Command, run: Run): void {
  program
    .command('audit')
    .description('who changed what')
    .command('list')
    .description('changes made through the API, newest first; kept for a year')
    .option('--tenant <name>', 'of that tenant only')
    .option('--method <name>', 'of that method only, such as AddBan or UpdateUser')
    .option('--resource <name>', 'of that resource only, such as an address or ban')
    .option('--since <duration>', 'not older than this, such as 7d', duration)
    .option('--limit <count>', 'entries at the most', wholeNumber(1, 100_000), 100)
    .action(({ limit, since, ...filter }: ListOptions, command: Command) =>
      run(command, async ({ api, output, now }) => {
        const entries: AuditEntry[] = [];
        let pageToken = '';
        do {
          const answer = await api.call(api.rpc.listAudit, {
            ...{ tenant: filter.tenant ?? '', method: filter.method ?? '', resource: filter.resource ?? '' },
            sinceMs: since === undefined ? 0 : now() - since,
            pageSize: Math.min(mostPage, limit - entries.length),
            pageToken,
          });
          entries.push(...answer.entries);
          pageToken = answer.nextPageToken;
        } while (pageToken !== '' && entries.length < limit);
        await assertFilter(api, entries, filter);
        output.show(entries, () => table(entries, columns, 'No changes.'));
      }),
    );
}
