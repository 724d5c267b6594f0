/** posternctl init: first tenant, domain, route and user in one go; what is there already stays as it is. */
import { isPosternError } from '@postern/errors';
import type { Domain } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Api } from '../api.js';
import type { CommandContext, Run } from '../context.js';
import { printable } from '../output.js';
import { type PasswordOptions, readPassword } from '../password.js';
import { PlainError } from '../usage-error.js';
import { blankDomain } from './domain.js';
import { readHost } from './route.js';
import { blankTenant } from './tenant.js';
import { blankUser } from './user.js';

interface InitOptions extends PasswordOptions {
  readonly tenant: string;
  readonly domain: string;
  readonly host?: string;
  readonly user?: string;
}

/** Name of the route made of --host. */
const route = 'main';

/** True when it was made, false when it was there. */
async function make(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isPosternError(error, 'already-exists')) return false;
    throw error;
  }
}

/** The domain as it is, if the key may see it; one of another tenant ends the work before anything is made. */
async function standingDomain(api: Api, name: string, tenant: string): Promise<Domain | undefined> {
  try {
    const { domain } = await api.call(api.rpc.getDomain, { name });
    if (domain === undefined || domain.tenant === tenant) return domain;
    throw new PlainError(
      `${name} is a domain of tenant ${printable(domain.tenant)}, not of ${tenant}; nothing was made. Choose that tenant or another domain`,
    );
  } catch (error) {
    if (isPosternError(error, 'not-found')) return undefined;
    throw error;
  }
}

/** What --host did not change: a domain that is there keeps its next hop. */
function elsewhere(domain: Domain | undefined, host: string | undefined): string[] {
  if (domain === undefined || host === undefined || domain.nextHop === route) return [];
  const { name, nextHop } = domain;
  const now = nextHop === '' ? 'the default next hop' : `next hop ${printable(nextHop)}`;
  return [
    `Mail for ${name} still goes to ${now}, not to ${host}. To change that: posternctl domain update ${name} --next-hop ${route}`,
  ];
}

async function setUp({ api, output, terminal }: CommandContext, options: InitOptions): Promise<void> {
  const { tenant, domain } = options;
  // What was typed is read whole before anything is made: a half-made tenant would keep the default next hop.
  const hosts = options.host === undefined ? [] : [readHost(options.host)];
  const password = options.user === undefined ? '' : ((await readPassword(options, true, terminal)) ?? '');
  const standing = await standingDomain(api, domain, tenant);
  const steps: { readonly what: string; readonly made: boolean }[] = [];
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    steps.push({ what, made: await make(work) });
  };
  await step(
    `tenant ${tenant}`,
    api.call(api.rpc.createTenant, { tenant: { ...blankTenant, name: tenant }, requestId: '' }),
  );
  if (options.host !== undefined) {
    const wanted = { name: route, tenant, hosts, egressPool: '', etag: '' };
    await step(`route ${route} to ${options.host}`, api.call(api.rpc.putRoute, { route: wanted }));
  }
  const wanted = { ...blankDomain, name: domain, tenant, nextHop: options.host === undefined ? '' : route };
  await step(
    `domain ${domain}`,
    api.call(api.rpc.createDomain, { domain: wanted, requestId: '', assumeVerified: true }),
  );
  if (options.user !== undefined) {
    const address = options.user.includes('@') ? options.user : `${options.user}@${domain}`;
    await step(
      `user ${address}`,
      api.call(api.rpc.createUser, { user: { ...blankUser, address, password }, requestId: '' }),
    );
  }
  output.show(steps, () =>
    [
      ...steps.map(({ what, made }) => `${made ? 'Made' : 'There already'}: ${what}`),
      ...elsewhere(standing, options.host),
    ].join('\n'),
  );
}

export function addInitCommand(program: Command, run: Run): void {
  program
    .command('init')
    .description('make the first tenant, domain, route and user')
    .requiredOption('--tenant <name>', 'tenant')
    .requiredOption('--domain <name>', 'its first domain; counts as verified')
    .option(
      '--host <host>',
      'where its mail goes: HOST[:PORT] or smtp|lmtp://HOST:PORT; without it the default next hop',
    )
    .option('--user <address>', 'first user; asks for the password')
    .option('--password-file <file>', 'first line is the password; - reads standard input')
    .option('--password <text>', 'seen by other users of this machine: prefer --password-file')
    .action((options: InitOptions, command: Command) => run(command, (context) => setUp(context, options)));
}
