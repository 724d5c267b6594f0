/** posternctl rule put|list|delete */
import { readFileSync } from 'node:fs';
import type { Rule } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { type Column, table } from '../output.js';
import { assertFilter } from '../unknown-filter.js';
import { PlainError } from '../usage-error.js';

const columns: readonly Column<Rule>[] = [
  { title: 'RULE', value: (rule) => rule.id },
  { title: 'SCOPE', value: (rule) => (rule.tenant === '' ? 'server' : `tenant ${rule.tenant}`) },
  { title: 'VERSION', value: (rule) => rule.version, right: true },
  { title: 'DOCUMENT', value: (rule) => shortened(rule.document) },
];

const shownLength = 80;

function shortened(document: string): string {
  const line = document.replace(/\s+/g, ' ').trim();
  return line.length <= shownLength ? line : `${line.slice(0, shownLength)}…`;
}

function readDocument(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`rule file ${file} cannot be read (${reason})`);
  }
}

export function addRuleCommands(program: Command, run: Run): void {
  const rule = program.command('rule').description('rules: conditions and actions');
  rule
    .command('put <id> <file>')
    .description('make or replace a rule from a YAML or JSON file; - reads standard input')
    .option('--tenant <name>', 'tenant scope; without it an operator writes a server rule')
    .option('--etag <etag>', 'only if nobody changed it since')
    .action((id: string, file: string, options: { tenant?: string; etag?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const wanted = {
          id,
          tenant: options.tenant ?? '',
          version: 0,
          document: readDocument(file),
          etag: options.etag ?? '',
        };
        const stored = (await api.call(api.rpc.putRule, { rule: wanted })).rule;
        if (stored !== undefined) output.show(stored, () => table([stored], columns, ''));
      }),
    );
  rule
    .command('list')
    .description('rules in order of evaluation')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const { rules } = await api.call(api.rpc.listRules, { tenant: options.tenant ?? '' });
        await assertFilter(api, rules, options);
        output.show(rules, () => table(rules, columns, 'No rules.'));
      }),
    );
  rule
    .command('delete <id>')
    .description('remove a rule')
    .option('--tenant <name>', 'tenant scope; without it an operator removes a server rule')
    .action((id: string, options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        await api.call(api.rpc.deleteRule, { tenant: options.tenant ?? '', id });
        output.show({ deleted: id }, () => `Deleted ${id}.`);
      }),
    );
}
