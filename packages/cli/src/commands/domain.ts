/** posternctl domain add|list|get|update|set|verify|delete */
import type { Domain } from '@postern/proto/provisioning/v1/resources';
import { type Command, Option } from 'commander';
import type { Api } from '../api.js';
import { confirm } from '../confirm.js';
import type { CommandContext, Run } from '../context.js';
import { type Column, facts, table, yesNo } from '../output.js';
import { allPages } from '../pages.js';
import { assertFilter } from '../unknown-filter.js';
import { UsageError } from '../usage-error.js';
import { waitingMail } from '../waiting-mail.js';
import { warned } from '../warned.js';
import { addSetCommand } from './set-checks.js';

const columns: readonly Column<Domain>[] = [
  { title: 'DOMAIN', value: (domain) => domain.name },
  { title: 'TENANT', value: (domain) => domain.tenant },
  { title: 'VERIFIED', value: (domain) => yesNo(domain.verified) },
  { title: 'NEXT HOP', value: (domain) => domain.nextHop || '(default)' },
  { title: 'RECIPIENTS', value: (domain) => (domain.validateRecipients ? 'listed' : 'any') },
  { title: 'CATCH-ALL', value: (domain) => domain.catchAll },
];

export const blankDomain: Domain = {
  name: '',
  tenant: '',
  nextHop: '',
  validateRecipients: true,
  catchAll: '',
  verified: false,
  verification: '',
  etag: '',
};

function tell({ output }: CommandContext, domain: Domain | undefined, warnings: readonly string[] = []): void {
  if (domain === undefined) return;
  output.show({ ...domain, ...(warnings.length === 0 ? {} : { warnings }) }, () => {
    const text = facts([
      ['domain', domain.name],
      ['tenant', domain.tenant],
      ['next hop', domain.nextHop || '(default)'],
      ['recipients', domain.validateRecipients ? 'listed' : 'any'],
      ['catch-all', domain.catchAll],
      ['verified', yesNo(domain.verified)],
      ['etag', domain.etag],
    ]);
    if (domain.verified) return warned(text, warnings);
    return `${warned(text, warnings)}\n\nTakes no mail yet. Publish this record, then run \`posternctl domain verify ${domain.name}\`:\n  _postern.${domain.name}. TXT "${domain.verification}"\nWithout DNS here: \`posternctl domain delete ${domain.name}\`, then add it with --assume-verified.`;
  });
}

const counted = (rows: readonly unknown[], nextPageToken: string, one: string, many: string): string =>
  `${nextPageToken === '' ? '' : 'more than '}${rows.length} ${rows.length === 1 ? one : many}`;

/** What goes with a domain that is deleted; undefined = nobody would miss anything. */
async function contentOf(api: Api, name: string): Promise<string | undefined> {
  await api.call(api.rpc.getDomain, { name });
  const page = { domain: name, pageSize: 1_000, pageToken: '' };
  const { users, nextPageToken } = await api.call(api.rpc.listUsers, { ...page, tenant: '' });
  const aliases = await api.call(api.rpc.listAliases, page);
  if (users.length + aliases.aliases.length === 0) return undefined;
  return `${counted(users, nextPageToken, 'user', 'users')} and ${counted(aliases.aliases, aliases.nextPageToken, 'alias or group', 'aliases and groups')}`;
}

/** What people call it, `--route`, means the same. */
const routeOption = (): Option => new Option('--route <route>', 'the same as --next-hop').hideHelp();
const nextHopOf = ({ nextHop, route }: Settings): string | undefined => nextHop ?? route;

interface Settings {
  readonly nextHop?: string;
  readonly route?: string;
  readonly catchAll?: string;
  readonly anyRecipient?: boolean;
  readonly listedRecipients?: boolean;
}

export function addDomainCommands(program: Command, run: Run): void {
  const domain = program.command('domain').description('domains that take mail');
  domain
    .command('add <name>')
    .description('host a domain')
    .option('--tenant <name>', 'its tenant (operators)')
    .option('--next-hop <route>', 'route of the tenant or next hop of the operator its mail goes to')
    .addOption(routeOption())
    .option('--catch-all <address>', 'takes unknown recipients')
    .option('--any-recipient', 'accept every recipient instead of listed ones')
    .option('--assume-verified', 'take mail at once, without the TXT record (operators)')
    .option('--request-id <id>', 'the same id again makes nothing twice')
    .action(
      (
        name: string,
        options: Settings & { tenant?: string; assumeVerified?: boolean; requestId?: string },
        command: Command,
      ) =>
        run(command, async (context) => {
          const { api } = context;
          const wanted = {
            ...blankDomain,
            name,
            tenant: options.tenant ?? '',
            nextHop: nextHopOf(options) ?? '',
            catchAll: options.catchAll ?? '',
            validateRecipients: options.anyRecipient !== true,
          };
          const request = {
            domain: wanted,
            requestId: options.requestId ?? '',
            assumeVerified: options.assumeVerified === true,
          };
          const { domain: made, warnings } = await api.call(api.rpc.createDomain, request);
          tell(context, made, warnings);
        }),
    );
  domain
    .command('list')
    .description('every domain the key may see')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const rows = await allPages(async (page) => {
          const answer = await api.call(api.rpc.listDomains, { ...page, tenant: options.tenant ?? '' });
          return { rows: answer.domains, nextPageToken: answer.nextPageToken };
        });
        await assertFilter(api, rows, options);
        output.show(rows, () => table(rows, columns, 'No domains.'));
      }),
    );
  domain
    .command('get <name>')
    .description('one domain')
    .action((name: string, _options: object, command: Command) =>
      run(command, async (context) => {
        tell(context, (await context.api.call(context.api.rpc.getDomain, { name })).domain);
      }),
    );
  domain
    .command('update <name>')
    .description('change what is given, leave the rest')
    .option('--next-hop <route>', 'where its mail goes; empty = the default')
    .addOption(routeOption())
    .option('--catch-all <address>', 'takes unknown recipients; empty = none')
    .option('--any-recipient', 'accept every recipient')
    .option('--listed-recipients', 'accept listed recipients only')
    .option('--etag <etag>', 'only if nobody changed it since')
    .action((name: string, options: Settings & { etag?: string }, command: Command) =>
      run(command, async (context) => {
        const { api } = context;
        const updateMask = [
          ...(nextHopOf(options) === undefined ? [] : ['next_hop']),
          ...(options.catchAll === undefined ? [] : ['catch_all']),
          ...(options.anyRecipient || options.listedRecipients ? ['validate_recipients'] : []),
        ];
        if (updateMask.length === 0)
          throw new UsageError(
            'nothing to change: give --next-hop, --catch-all, --any-recipient or --listed-recipients',
          );
        if (options.anyRecipient && options.listedRecipients)
          throw new UsageError('give either --any-recipient or --listed-recipients, not both');
        const wanted = {
          ...blankDomain,
          name,
          nextHop: nextHopOf(options) ?? '',
          catchAll: options.catchAll ?? '',
          validateRecipients: options.anyRecipient !== true,
          etag: options.etag ?? '',
        };
        const { domain: stored, warnings } = await api.call(api.rpc.updateDomain, { domain: wanted, updateMask });
        tell(context, stored, warnings);
      }),
    );
  addSetCommand(domain, run, async ({ api }, name) => {
    const known = (await api.call(api.rpc.getDomain, { name })).domain;
    return { tenant: known?.tenant ?? '', scope: known?.name ?? name };
  });
  domain
    .command('verify <name>')
    .description('look for the TXT record and let the domain take mail')
    .action((name: string, _options: object, command: Command) =>
      run(command, async (context) => {
        tell(context, (await context.api.call(context.api.rpc.verifyDomain, { name })).domain);
      }),
    );
  domain
    .command('delete <name>')
    .description('remove a domain with its users and aliases')
    .option('--etag <etag>', 'only if nobody changed it since')
    .option('--yes', 'without asking, also where it has users or aliases, or mail waits for it')
    .action((name: string, options: { etag?: string; yes?: boolean }, command: Command) =>
      run(command, async ({ api, output, terminal }) => {
        const inside = options.yes === true ? undefined : await contentOf(api, name);
        const { waits, count } = await waitingMail(api, { domain: name });
        const waiting =
          count === ''
            ? []
            : [
                `Mail that waits for ${name}: ${count}. It stays in the queue, expires with a report unless the domain is made again, and \`posternctl queue bounce --domain ${name}\` ends it at once.`,
              ];
        const lost =
          inside === undefined
            ? []
            : [
                `${name} has ${inside}. They go with it, their passwords, rules and check settings too, and cannot be had back.`,
              ];
        if (lost.length > 0 || waits) await confirm([...lost, ...waiting].join(' '), options, terminal);
        const { warnings } = await api.call(api.rpc.deleteDomain, { name, etag: options.etag ?? '' });
        const notes = [...warnings, ...waiting];
        output.show({ deleted: name, warnings: notes }, () => warned(`Deleted ${name}.`, notes));
      }),
    );
}
