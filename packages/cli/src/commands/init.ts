/** posternctl init: first tenant, domain, route and user in one go; what is there already stays as it is. */
import { isPosternError } from '@postern/errors';
import type { Command } from 'commander';
import type { CommandContext, Run } from '../context.js';
import { type PasswordOptions, readPassword } from '../password.js';
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

async function setUp({ api, output, terminal }: CommandContext, options: InitOptions): Promise<void> {
  const { tenant, domain } = options;
  // What was typed is read whole before anything is made: a half-made tenant would keep the default next hop.
  const hosts = options.host === undefined ? [] : [readHost(options.host)];
  const password = options.user === undefined ? '' : ((await readPassword(options, true, terminal)) ?? '');
  const steps: { readonly what: string; readonly made: boolean }[] = [];
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    steps.push({ what, made: await make(work) });
  };
  await step(
    `tenant ${tenant}`,
    api.call(api.rpc.createTenant, { tenant: { ...blankTenant, name: tenant }, requestId: '' }),
  );
  if (options.host !== undefined) {
    const route = { name: 'main', tenant, hosts, egressPool: '', etag: '' };
    await step(`route main to ${options.host}`, api.call(api.rpc.putRoute, { route }));
  }
  const wanted = { ...blankDomain, name: domain, tenant, nextHop: options.host === undefined ? '' : 'main' };
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
  output.show(steps, () => steps.map(({ what, made }) => `${made ? 'Made' : 'There already'}: ${what}`).join('\n'));
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
