/** posternctl checks get|put|reset: what a tenant, a domain or a user sets differently for checks */
import { readFileSync } from 'node:fs';
import type { CheckSettings } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import { parseDocument } from 'yaml';
import { confirm } from '../confirm.js';
import type { CommandContext, Run } from '../context.js';
import { PlainError } from '../usage-error.js';
import { documentText, effectiveText } from './check-settings-text.js';

interface Options {
  readonly tenant?: string;
  readonly scope?: string;
  readonly etag?: string;
  readonly effective?: boolean;
  /** undefined: what is wanted is plain. */
  readonly yes?: boolean;
}

function readDocument(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new PlainError(`settings file ${file} cannot be read (${reason})`);
  }
}

/** Comments, an empty map or nothing: it would take back all there is. What is no YAML is the service's to refuse. */
function setsNothing(document: string): boolean {
  const parsed = parseDocument(document, { logLevel: 'silent' });
  if (parsed.errors.length > 0) return false;
  const value: unknown = parsed.toJS({ maxAliasCount: 0 });
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
}

function tell({ output }: CommandContext, settings: CheckSettings | undefined): void {
  if (settings === undefined) return;
  const whose = settings.scope === '' ? `tenant ${settings.tenant}` : settings.scope;
  output.show(settings, () => documentText(settings, whose));
}

export function addChecksCommands(program: Command, run: Run): void {
  const checks = program.command('checks').description('checks: what a tenant, a domain or a user sets differently');
  const scoped = (name: string, text: string): Command =>
    checks
      .command(name)
      .description(text)
      .option('--tenant <name>', 'tenant; by default that of the key')
      .option('--scope <scope>', 'a domain, or the address of a user; without it the tenant');
  scoped('get', 'show the settings')
    .option('--effective', 'what is in force there, field by field, with who set it')
    .action((options: Options, command: Command) =>
      run(command, async (context) => {
        const { tenant = '', scope = '', effective = false } = options;
        const found = await context.api.call(context.api.rpc.getCheckSettings, { tenant, scope, effective });
        if (effective) context.output.show(found, () => effectiveText(found.effective));
        else tell(context, found.settings);
      }),
    );
  const put = (document: string, options: Options, command: Command): Promise<void> =>
    run(command, async (context) => {
      const { tenant = '', scope = '', etag = '' } = options;
      if (options.yes !== undefined && setsNothing(document))
        await confirm('This sets nothing: all settings stored there go.', options, context.terminal);
      const settings = { tenant, scope, document, etag, notInEffect: [] };
      tell(context, (await context.api.call(context.api.rpc.putCheckSettings, { settings })).settings);
    });
  scoped('put <file>', 'replace the settings by a YAML or JSON file; - reads standard input')
    .option('--etag <etag>', 'only if nobody changed them since')
    .option('--yes', 'also where the file sets nothing, without asking')
    .action((file: string, options: Options, command: Command) =>
      put(readDocument(file), { ...options, yes: options.yes === true }, command),
    );
  scoped('reset', 'go back to the settings around').action((options: Options, command: Command) =>
    put('', options, command),
  );
}
