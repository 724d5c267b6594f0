/** posternctl tenant|domain set: single fields of what it sets differently for checks, the rest of its document left as it stands, comments too. */
import type { Command } from 'commander';
import { isMap, parse, parseDocument, type YAMLMap } from 'yaml';
import type { CommandContext, Run } from '../context.js';
import { UsageError } from '../usage-error.js';
import { documentText } from './check-settings-text.js';

interface Options {
  readonly unset?: readonly string[];
}

interface Place {
  readonly tenant: string;
  /** Empty = the tenant itself. */
  readonly scope: string;
}

const field = /^[a-z]+(\.[A-Za-z]+)?$/;

function pathOf(text: string): string[] {
  if (!field.test(text))
    throw new UsageError(`${JSON.stringify(text)} is no field of a check; expected one such as greylist.delay`);
  return text.split('.');
}

function assignment(text: string): { readonly path: string[]; readonly value: unknown } {
  const at = text.indexOf('=');
  const path = pathOf(at === -1 ? text : text.slice(0, at));
  if (at === -1 || path.length < 2)
    throw new UsageError(
      `${JSON.stringify(text)} is no assignment; expected check.field=value, such as greylist.delay=10m`,
    );
  try {
    return { path, value: parse(text.slice(at + 1)) };
  } catch {
    throw new UsageError(
      `${JSON.stringify(text)}: the value is no YAML; quote it for the shell, such as 'lists.block=[a.test]'`,
    );
  }
}

const mostNamed = 10;

function notSet(text: string, { items }: YAMLMap): string {
  const names = items.flatMap(({ key, value }) =>
    isMap(value) ? value.items.map((item) => `${String(key)}.${String(item.key)}`) : [String(key)],
  );
  const more = names.length > mostNamed ? ' ...' : '';
  const set = names.length === 0 ? 'nothing is' : `set are ${names.slice(0, mostNamed).join(', ')}${more}`;
  return `--unset ${text}: it is not set here; ${set}`;
}

/** The document with these fields changed; maps left empty go. */
export function changed(document: string, assignments: readonly string[], unset: readonly string[]): string {
  if (assignments.length + unset.length === 0)
    throw new UsageError('nothing to change: give check.field=value, or --unset check.field');
  const yaml = parseDocument(document.trim() === '' ? '{}' : document);
  if (yaml.errors.length > 0 || !isMap(yaml.contents))
    throw new UsageError('the stored settings are no map; use `posternctl checks put`');
  yaml.contents.flow = false;
  for (const { path, value } of assignments.map(assignment)) yaml.setIn(path, yaml.createNode(value));
  for (const text of unset) {
    const path = pathOf(text);
    if (!yaml.hasIn(path)) throw new UsageError(notSet(text, yaml.contents));
    yaml.deleteIn(path);
    const around = yaml.get(path[0] ?? '');
    if (isMap(around) && around.items.length === 0) yaml.delete(path[0] ?? '');
  }
  return yaml.contents.items.length === 0 ? '' : yaml.toString();
}

export function addSetCommand(
  parent: Command,
  run: Run,
  placeOf: (context: CommandContext, name: string) => Promise<Place>,
): void {
  const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  parent
    .command('set <name> [fields...]')
    .description('what it sets differently for checks: check.field=value, such as greylist.enabled=true')
    .option(
      '--unset <field>',
      'a field, or a whole check, that goes back to the settings around; may be repeated',
      gather,
    )
    .action((name: string, fields: readonly string[], { unset = [] }: Options, command: Command) =>
      run(command, async (context) => {
        const { api, output } = context;
        const place = await placeOf(context, name);
        const before = (await api.call(api.rpc.getCheckSettings, { ...place, effective: false })).settings;
        const document = changed(before?.document ?? '', fields, unset);
        const wanted = { ...place, document, etag: before?.etag ?? '', notInEffect: [] };
        const { settings } = await api.call(api.rpc.putCheckSettings, { settings: wanted });
        if (settings === undefined) return;
        output.show(settings, () => documentText(settings, name));
      }),
    );
}
