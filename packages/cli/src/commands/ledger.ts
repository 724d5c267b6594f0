/** posternctl ledger: created = closed + open, per tenant. */
import type { LedgerRow } from '@postern/proto/queue/v1/queue_service';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { type Column, printable, table } from '../output.js';
import { assertFilter } from '../unknown-filter.js';

const sum = (terms: Readonly<Record<string, number>>): number =>
  Object.values(terms).reduce((total, count) => total + count, 0);

/** As the equation is written; a map has no order of its own. */
const order = [
  ...['accepted', 'expanded', 'generated'],
  ...['delivered', 'bounced', 'expired', 'discarded', 'deleted', 'merged', 'replaced'],
  ...['queued', 'deferred', 'held', 'quarantined'],
];
const placeOf = (term: string): number => (order.includes(term) ? order.indexOf(term) : order.length);

function termsText(terms: Readonly<Record<string, number>>): string {
  const parts = Object.entries(terms)
    .filter(([, count]) => count !== 0)
    .sort(([a], [b]) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1));
  return parts.map(([name, count]) => `${name} ${count}`).join(', ');
}

const columns: readonly Column<LedgerRow>[] = [
  { title: 'TENANT', value: (row) => row.tenant },
  { title: 'CREATED', value: (row) => sum(row.created), right: true },
  { title: 'CLOSED', value: (row) => sum(row.closed), right: true },
  { title: 'OPEN', value: (row) => sum(row.open), right: true },
  { title: 'DIFFERENCE', value: (row) => row.difference, right: true },
  {
    title: 'TERMS',
    value: (row) =>
      [row.created, row.closed, row.open]
        .map(termsText)
        .filter((text) => text !== '')
        .join(' | '),
  },
];

export function addLedgerCommand(program: Command, run: Run): void {
  program
    .command('ledger')
    .description('the conservation equation: every accepted recipient is closed or open')
    .option('--tenant <name>', 'of that tenant only')
    .option('--orphans', 'also list what is open without a carrier')
    .action((options: { tenant?: string; orphans?: boolean }, command: Command) =>
      run(command, async ({ api, output }) => {
        const query = { tenant: options.tenant ?? '', withOrphans: options.orphans === true };
        const { result } = await api.call(api.rpc.getLedger, { query });
        if (result === undefined) return;
        await assertFilter(api, result.rows, options);
        output.show(result, () => {
          const state = result.balanced ? 'Balanced.' : 'Not at rest or not balanced.';
          const flow = `${result.outcomesInFlight} outcomes in flight, ${result.streamMessages} messages in SPOOL and WORK.`;
          const orphans = result.orphans.map((orphan) =>
            printable(`  <${orphan.address}> ${orphan.tenant} ${orphan.state}`),
          );
          const list = orphans.length === 0 ? [] : ['', 'Open without a carrier:', ...orphans];
          return [table(result.rows, columns, 'Nothing was accepted yet.'), '', `${state} ${flow}`, ...list].join('\n');
        });
      }),
    );
}
