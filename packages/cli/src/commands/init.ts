/** posternctl init: first tenant, domain, route and user in one go; what is there already stays as it is. A route `main` that goes elsewhere is changed with --force only. */
import { isPosternError } from '@postern/errors';
import type { Domain, Route } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Api } from '../api.js';
import type { CommandContext, Run } from '../context.js';
import { printable } from '../output.js';
import { allPages } from '../pages.js';
import { type PasswordOptions, readPassword } from '../password.js';
import { PlainError } from '../usage-error.js';
import { blankDomain } from './domain.js';
import { hostText, readHost } from './route.js';
import { blankTenant } from './tenant.js';
import { blankUser } from './user.js';

interface InitOptions extends PasswordOptions {
  readonly tenant: string;
  readonly domain: string;
  readonly host?: string;
  readonly user?: string;
  readonly force?: boolean;
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

async function standingRoute(api: Api, tenant: string): Promise<Route | undefined> {
  const routes = await allPages(async (page) => {
    const answer = await api.call(api.rpc.listRoutes, { ...page, tenant });
    return { rows: answer.routes, nextPageToken: answer.nextPageToken };
  });
  return routes.find(({ name }) => name === route);
}

type RoutePlan =
  | { readonly kind: 'make' }
  /** It goes there already: pool and passwords stay too. */
  | { readonly kind: 'keep' }
  | { readonly kind: 'change'; readonly from: string; readonly etag: string };

/** Other domains may go by this route: it is not turned elsewhere without a word. */
async function planRoute(api: Api, { tenant, host = '', force }: InitOptions, wanted: string): Promise<RoutePlan> {
  const standing = await standingRoute(api, tenant);
  if (standing === undefined) return { kind: 'make' };
  const from = standing.hosts.map(hostText).join(' ');
  if (from === wanted) return { kind: 'keep' };
  if (force === true) return { kind: 'change', from, etag: standing.etag };
  throw new PlainError(
    `route ${route} of tenant ${printable(tenant)} goes to ${printable(from)}, not to ${wanted}; nothing was made. ` +
      `--force changes it for every domain that uses it; \`posternctl route put NAME --host ${printable(host)} --tenant ${printable(tenant)}\` makes another`,
  );
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
  const wantedHosts = hosts.map(hostText).join(' ');
  const plan = options.host === undefined ? undefined : await planRoute(api, options, wantedHosts);
  const steps: { readonly what: string; readonly made: boolean; readonly before?: string }[] = [];
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    steps.push({ what, made: await make(work) });
  };
  await step(
    `tenant ${tenant}`,
    api.call(api.rpc.createTenant, { tenant: { ...blankTenant, name: tenant }, requestId: '' }),
  );
  if (plan !== undefined) {
    const etag = plan.kind === 'change' ? plan.etag : '';
    const wantedRoute = { name: route, tenant, hosts, egressPool: '', etag };
    if (plan.kind !== 'keep') await api.call(api.rpc.putRoute, { route: wantedRoute });
    const before = plan.kind === 'change' ? { before: plan.from } : {};
    steps.push({ what: `route ${route} to ${wantedHosts}`, made: plan.kind !== 'keep', ...before });
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
      ...steps.map(({ what, made, before }) =>
        before === undefined
          ? `${made ? 'Made' : 'There already'}: ${what}`
          : `Changed: ${what}, before ${printable(before)}`,
      ),
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
    .option('--force', `change the route ${route} where it goes elsewhere`)
    .option('--user <address>', 'first user; asks for the password')
    .option('--password-file <file>', 'first line is the password; - reads standard input')
    .option('--password <text>', 'seen by other users of this machine: prefer --password-file')
    .action((options: InitOptions, command: Command) => run(command, (context) => setUp(context, options)));
}
