/** posternctl user add|list|get|set|set-password|disable|enable|delete */
import type { User } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { CommandContext, Run } from '../context.js';
import { endDate, repeated } from '../numbers.js';
import { type Column, facts, table, time, yesNo } from '../output.js';
import { allPages } from '../pages.js';
import { type PasswordOptions, readPassword } from '../password.js';
import { assertFilter, inKnownDomain } from '../unknown-filter.js';
import { UsageError } from '../usage-error.js';
import { warned } from '../warned.js';

const columns: readonly Column<User>[] = [
  { title: 'ADDRESS', value: (user) => user.address },
  { title: 'TENANT', value: (user) => user.tenant },
  { title: 'ENABLED', value: (user) => yesNo(!user.disabled) },
  { title: 'PASSWORD', value: (user) => yesNo(user.hasPassword) },
  { title: 'NAME', value: (user) => user.displayName },
];

export const blankUser: User = {
  address: '',
  tenant: '',
  password: '',
  displayName: '',
  disabled: false,
  etag: '',
  allowedIdentities: [],
  recoverablePassword: false,
  expiresAtMs: 0,
  hasPassword: false,
};

function passwordText({ address, hasPassword, recoverablePassword }: User): string {
  const kept = recoverablePassword ? 'kept sealed, for CRAM-MD5 and DIGEST-MD5' : 'kept as verifiers only';
  if (hasPassword) return kept;
  const next = recoverablePassword ? `; the next one is ${kept}` : '';
  return `none: receives, and cannot log in with one; posternctl user set-password ${address} gives it one${next}`;
}

function tell({ output }: CommandContext, user: User | undefined): void {
  if (user === undefined) return;
  const { password: _never, ...shown } = user;
  output.show(shown, () =>
    facts([
      ['address', user.address],
      ['tenant', user.tenant],
      ['name', user.displayName],
      ['enabled', yesNo(!user.disabled)],
      ['login expires', user.expiresAtMs === 0 ? 'never' : time(user.expiresAtMs)],
      ['may send as', user.allowedIdentities.join(' ')],
      ['password', passwordText(user)],
      ['etag', user.etag],
    ]),
  );
}

const noLogin = '; --no-login for a recipient without one';

interface UserChanges {
  readonly expires?: number;
  readonly displayName?: string;
  readonly sendAs?: string[];
}

export function addUserCommands(program: Command, run: Run): void {
  const user = program.command('user').description('users: recipients, and logins when they have a password');
  user
    .command('add <address>')
    .description('make a user; asks for the password unless --no-login')
    .option('--display-name <text>', 'name for people')
    .option('--password-file <file>', 'first line is the password; - reads standard input')
    .option('--password <text>', 'seen by other users of this machine: prefer --password-file')
    .option('--recoverable-password', 'keep the password, sealed, for CRAM-MD5 and DIGEST-MD5')
    .option('--no-login', 'a recipient without password')
    .option('--expires <date>', 'does not log in from then on; a day is meant to its end, UTC', endDate)
    .option('--send-as <address>', 'another address it may send as; may be repeated', repeated)
    .option('--request-id <id>', 'the same id again makes nothing twice')
    .action(
      (
        address: string,
        options: PasswordOptions & {
          displayName?: string;
          login: boolean;
          expires?: number;
          sendAs?: string[];
          requestId?: string;
          recoverablePassword?: boolean;
        },
        command: Command,
      ) =>
        run(command, async (context) => {
          const { api, now, terminal } = context;
          const { expires = 0 } = options;
          if (expires !== 0 && expires <= now()) throw new UsageError(`--expires ${time(expires)} has passed`);
          const password = options.login ? await readPassword(options, true, terminal, noLogin) : '';
          const wanted = {
            ...blankUser,
            address,
            password: password ?? '',
            displayName: options.displayName ?? '',
            allowedIdentities: options.sendAs ?? [],
            recoverablePassword: options.recoverablePassword === true,
            expiresAtMs: expires,
          };
          const request = { user: wanted, requestId: options.requestId ?? '' };
          tell(context, (await inKnownDomain(address, api.call(api.rpc.createUser, request))).user);
        }),
    );
  user
    .command('list')
    .description('every user the key may see')
    .option('--domain <name>', 'of that domain only')
    .option('--tenant <name>', 'of that tenant only')
    .action((options: { domain?: string; tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const rows = await allPages(async (page) => {
          const answer = await api.call(api.rpc.listUsers, {
            ...page,
            domain: options.domain ?? '',
            tenant: options.tenant ?? '',
          });
          return { rows: answer.users, nextPageToken: answer.nextPageToken };
        });
        await assertFilter(api, rows, options);
        const shown = rows.map(({ password: _never, ...rest }) => rest);
        output.show(shown, () => table(rows, columns, 'No users.'));
      }),
    );
  user
    .command('get <address>')
    .description('one user')
    .action((address: string, _options: object, command: Command) =>
      run(command, async (context) => {
        tell(context, (await context.api.call(context.api.rpc.getUser, { address })).user);
      }),
    );
  user
    .command('set <address>')
    .description('change what is given')
    .option('--expires <date>', 'does not log in from then on, though it receives; never = not at all', endDate)
    .option('--display-name <text>', 'name for people')
    .option(
      '--send-as <address>',
      'another address it may send as, in place of those before; may be repeated',
      repeated,
    )
    .action((address: string, options: UserChanges, command: Command) =>
      run(command, async (context) => {
        const { api } = context;
        const updateMask = [
          ...(options.expires === undefined ? [] : ['expires_at_ms']),
          ...(options.displayName === undefined ? [] : ['display_name']),
          ...(options.sendAs === undefined ? [] : ['allowed_identities']),
        ];
        if (updateMask.length === 0)
          throw new UsageError('nothing to set: give --expires, --display-name or --send-as');
        const wanted = {
          ...blankUser,
          address,
          expiresAtMs: options.expires ?? 0,
          displayName: options.displayName ?? '',
          allowedIdentities: options.sendAs ?? [],
        };
        tell(context, (await api.call(api.rpc.updateUser, { user: wanted, updateMask })).user);
      }),
    );
  user
    .command('set-password <address>')
    .description('give a new password; asks for it')
    .option('--password-file <file>', 'first line is the password; - reads standard input')
    .option('--password <text>', 'seen by other users of this machine: prefer --password-file')
    .action((address: string, options: PasswordOptions, command: Command) =>
      run(command, async ({ api, output, terminal }) => {
        const password = (await readPassword(options, true, terminal)) ?? '';
        await api.call(api.rpc.setPassword, { address, password });
        output.show({ address, passwordSet: true }, () => `Password of ${address} set.`);
      }),
    );
  for (const [verb, recoverablePassword, text] of [
    ['keep-password', true, 'keep the next password, sealed, for CRAM-MD5 and DIGEST-MD5; set it anew afterwards'],
    ['forget-password', false, 'erase the password that is kept; what verifies it stays'],
  ] as const) {
    user
      .command(`${verb} <address>`)
      .description(text)
      .action((address: string, _options: object, command: Command) =>
        run(command, async (context) => {
          const { api } = context;
          const wanted = { ...blankUser, address, recoverablePassword };
          const request = { user: wanted, updateMask: ['recoverable_password'] };
          tell(context, (await api.call(api.rpc.updateUser, request)).user);
        }),
      );
  }
  const states = [
    ['disable', true, 'neither log in nor receive'],
    ['enable', false, 'log in and receive again'],
  ] as const;
  for (const [verb, disabled, text] of states) {
    user
      .command(`${verb} <address>`)
      .description(text)
      .action((address: string, _options: object, command: Command) =>
        run(command, async (context) => {
          const { api } = context;
          const request = { user: { ...blankUser, address, disabled }, updateMask: ['disabled'] };
          tell(context, (await api.call(api.rpc.updateUser, request)).user);
        }),
      );
  }
  user
    .command('delete <address>')
    .description('remove a user')
    .action((address: string, _options: object, command: Command) =>
      run(command, async ({ api, output }) => {
        const { warnings } = await api.call(api.rpc.deleteUser, { address });
        output.show({ deleted: address, warnings }, () => warned(`Deleted ${address}.`, warnings));
      }),
    );
}
