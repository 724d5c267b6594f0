/** posternctl route put|list|delete */
import type { Route, RouteHost } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { repeated } from '../numbers.js';
import { type Column, table } from '../output.js';
import { allPages } from '../pages.js';
import { type PasswordOptions, readPassword } from '../password.js';
import { assertFilter } from '../unknown-filter.js';
import { UsageError } from '../usage-error.js';
import { waitingMail } from '../waiting-mail.js';
import { warned } from '../warned.js';

const columns: readonly Column<Route>[] = [
  { title: 'ROUTE', value: (route) => route.name },
  { title: 'TENANT', value: (route) => route.tenant },
  { title: 'HOSTS', value: (route) => route.hosts.map(hostText).join(' ') },
  { title: 'POOL', value: (route) => route.egressPool || '(default)' },
];

export function hostText({ protocol, username, host, port, tls }: RouteHost): string {
  const usual = tls === '' || tls === 'opportunistic';
  return `${protocol}://${username === '' ? '' : `${username}@`}${host}:${port}${usual ? '' : `?tls=${tls}`}`;
}

/** `host`, `host:port`, `lmtp://user@host:port?tls=required`; the password is asked for apart. */
export function readHost(text: string): RouteHost {
  const url = URL.parse(text.includes('://') ? text : `smtp://${text}`);
  const protocol = url?.protocol.slice(0, -1) ?? '';
  if (url === null || url.hostname === '' || !['smtp', 'lmtp'].includes(protocol)) {
    throw new UsageError(
      `--host ${JSON.stringify(text)}: expected HOST, HOST:PORT or smtp|lmtp://[USER@]HOST:PORT[?tls=MODE]`,
    );
  }
  if (url.port === '0') throw new UsageError(`--host ${JSON.stringify(text)}: port 0 is none; expected 1 to 65535`);
  if (url.password !== '') throw new UsageError('--host: no password in it, please; use --password-file');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (protocol === 'lmtp' ? 24 : 25) : Number(url.port),
    protocol,
    tls: url.searchParams.get('tls') ?? '',
    username: decodeURIComponent(url.username),
    password: '',
  };
}

export function addRouteCommands(program: Command, run: Run): void {
  const route = program.command('route').description('routes: named next hops');
  route
    .command('put <name>')
    .description('make or replace a route')
    .requiredOption(
      '--host <host>',
      'HOST[:PORT] or smtp|lmtp://[USER@]HOST:PORT[?tls=none|opportunistic|required|verified]; may be repeated',
      repeated,
    )
    .option('--tenant <name>', 'its tenant (operators)')
    .option('--pool <name>', 'egress pool')
    .option('--password-file <file>', 'password of the hosts that have a user; - reads standard input')
    .option('--password <text>', 'seen by other users of this machine: prefer --password-file')
    .option('--etag <etag>', 'only if nobody changed it since')
    .action(
      (
        name: string,
        options: PasswordOptions & { host: string[]; tenant?: string; pool?: string; etag?: string },
        command: Command,
      ) =>
        run(command, async ({ api, output, terminal }) => {
          const hosts = options.host.map(readHost);
          const password = (await readPassword(options, false, terminal)) ?? '';
          if (password !== '' && hosts.every((host) => host.username === ''))
            throw new UsageError('a password without a user: give USER@ in --host');
          const wanted = {
            name,
            tenant: options.tenant ?? '',
            hosts: hosts.map((host) => (host.username === '' ? host : { ...host, password })),
            egressPool: options.pool ?? '',
            etag: options.etag ?? '',
          };
          const stored = (await api.call(api.rpc.putRoute, { route: wanted })).route;
          if (stored !== undefined) output.show(stored, () => table([stored], columns, ''));
        }),
    );
  route
    .command('list')
    .description('every route the key may see')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const rows = await allPages(async (page) => {
          const answer = await api.call(api.rpc.listRoutes, { ...page, tenant: options.tenant ?? '' });
          return { rows: answer.routes, nextPageToken: answer.nextPageToken };
        });
        await assertFilter(api, rows, options);
        output.show(rows, () =>
          table(
            rows,
            columns,
            'No routes. Next hops of the operator are not listed here: they stand in its file, under nextHops.',
          ),
        );
      }),
    );
  route
    .command('delete <name>')
    .description('remove a route no domain uses')
    .option('--tenant <name>', 'its tenant (operators)')
    .action((name: string, options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const tenant = options.tenant ?? '';
        const page = { tenant, pageSize: 1_000, pageToken: '' };
        const known = (await api.call(api.rpc.listRoutes, page)).routes.find((one) => one.name === name);
        const lane = `${known?.tenant ?? tenant}/${name}`;
        const { count } = await waitingMail(api, { tenant, lane });
        const { warnings } = await api.call(api.rpc.deleteRoute, { tenant, name });
        const waiting =
          count === '' ? [] : [`mail that waits in lane ${lane}: ${count}. It goes where its domain is routed now.`];
        const notes = [...warnings, ...waiting];
        output.show({ deleted: name, warnings: notes }, () => warned(`Deleted ${name}.`, notes));
      }),
    );
}
