/** posternctl rule put|list|get|delete */
import type { Rule } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { type Column, printable, table } from '../output.js';
import { ruleDocument, withLinesOf } from '../rule-file.js';
import { assertFilter } from '../unknown-filter.js';
import { PlainError, UsageError } from '../usage-error.js';
import { warned } from '../warned.js';

const columns: readonly Column<Rule>[] = [
  { title: 'RULE', value: (rule) => rule.id },
  { title: 'SCOPE', value: scopeText },
  { title: 'PRIORITY', value: (rule) => rule.priority, right: true },
  { title: 'FROM', value: (rule) => (rule.inFile ? 'operator file' : 'saved') },
  { title: 'VERSION', value: (rule) => rule.version, right: true },
  { title: 'DOCUMENT', value: (rule) => shortened(rule.document) },
];

const shownLength = 80;

function scopeText({ tenant, scope }: Rule): string {
  if (tenant === '') return 'server';
  if (scope === '') return `tenant ${tenant}`;
  return scope.includes('@') ? `user ${scope}` : `domain ${scope}`;
}

interface ScopeOptions {
  readonly tenant?: string;
  readonly domain?: string;
  readonly user?: string;
}

function scopeOf({ domain, user }: ScopeOptions): string {
  if (domain !== undefined && user !== undefined) throw new UsageError('--domain and --user: only one of them');
  if (user !== undefined && !user.includes('@')) throw new UsageError('--user: expected a login user@domain');
  return user ?? domain ?? '';
}

const scoped = (command: Command): Command =>
  command
    .option('--domain <name>', 'of this domain of the tenant')
    .option('--user <address>', 'of this user of the tenant');

function shortened(document: string): string {
  const line = document.replace(/\s+/g, ' ').trim();
  return line.length <= shownLength ? line : `${line.slice(0, shownLength)}…`;
}

export function addRuleCommands(program: Command, run: Run): void {
  const rule = program.command('rule').description('rules: conditions and actions');
  scoped(rule.command('put <id> <file>'))
    .description(
      'make or replace a rule from a YAML or JSON file, which may have a rules section; - reads standard input',
    )
    .option('--tenant <name>', 'tenant scope; without it an operator writes a server rule')
    .option('--etag <etag>', 'only if nobody changed it since')
    .action((id: string, file: string, options: ScopeOptions & { etag?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const text = ruleDocument(file, id);
        const wanted = {
          id,
          tenant: options.tenant ?? '',
          version: 0,
          document: text.document,
          etag: options.etag ?? '',
          scope: scopeOf(options),
          ...{ priority: 0, inFile: false },
        };
        const { rule: stored, warnings } = await withLinesOf(file, text, api.call(api.rpc.putRule, { rule: wanted }));
        if (stored !== undefined)
          output.show({ ...stored, warnings }, () => warned(table([stored], columns, ''), warnings));
      }),
    );
  scoped(rule.command('list'))
    .description('rules in order of evaluation, those of the operator file included')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: ScopeOptions, command: Command) =>
      run(command, async ({ api, output }) => {
        const { rules } = await api.call(api.rpc.listRules, { tenant: options.tenant ?? '', scope: scopeOf(options) });
        await assertFilter(api, rules, options);
        output.show(rules, () => table(rules, columns, 'No rules.'));
      }),
    );
  scoped(rule.command('get <id>'))
    .description('one rule, as it was written')
    .option('--tenant <name>', 'tenant scope; without it an operator is shown a server rule')
    .action((id: string, options: ScopeOptions, command: Command) =>
      run(command, async ({ api, output }) => {
        const { tenant = '' } = options;
        const scope = scopeOf(options);
        const { rules } = await api.call(api.rpc.listRules, { tenant, scope });
        const named = rules.filter((one) => one.id === id && one.scope === scope);
        const found = named.find((one) => one.tenant === tenant) ?? named[0];
        if (found === undefined)
          throw new PlainError(`rule ${printable(id)} does not exist in this scope; see \`posternctl rule list\``);
        if (found.tenant !== tenant && named.length > 1)
          throw new UsageError(
            `rule get: ${named.length} tenants have a rule ${printable(id)}; name one with --tenant`,
          );
        output.show(found, () => found.document.trimEnd());
      }),
    );
  scoped(rule.command('delete <id>'))
    .description('remove a rule')
    .option('--tenant <name>', 'tenant scope; without it an operator removes a server rule')
    .action((id: string, options: ScopeOptions, command: Command) =>
      run(command, async ({ api, output }) => {
        await api.call(api.rpc.deleteRule, { tenant: options.tenant ?? '', id, scope: scopeOf(options) });
        output.show({ deleted: id }, () => `Deleted ${id}.`);
      }),
    );
}
