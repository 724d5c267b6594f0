/** posternctl app-password create|list|delete: a password for one program of a user. */
import type { AppPassword } from '@postern/proto/provisioning/v1/resources';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { duration } from '../numbers.js';
import { type Column, table, time } from '../output.js';

const columns: readonly Column<AppPassword>[] = [
  { title: 'NAME', value: (password) => password.name },
  { title: 'ID', value: (password) => password.id },
  { title: 'CREATED', value: (password) => time(password.createdAtMs) },
  { title: 'EXPIRES', value: (password) => time(password.expiresAtMs) },
];

export function addAppPasswordCommands(program: Command, run: Run): void {
  const group = program
    .command('app-password')
    .description('passwords for single programs of a user, for PLAIN and LOGIN');
  group
    .command('create <address> <name>')
    .description('make one; it is shown once')
    .option('--expires-in <duration>', 'no longer valid after this, such as 90d', duration)
    .action((address: string, name: string, options: { expiresIn?: number }, command: Command) =>
      run(command, async ({ api, output, now }) => {
        const expiresAtMs = options.expiresIn === undefined ? 0 : now() + options.expiresIn;
        const appPassword = { id: '', address, name, secret: '', createdAtMs: 0, expiresAtMs };
        const made = (await api.call(api.rpc.createAppPassword, { appPassword })).appPassword;
        if (made !== undefined)
          output.show(made, () => `${made.secret}\n\nShown once. Give it to the program, not to people.`);
      }),
    );
  group
    .command('list <address>')
    .description('those of a user, without secrets')
    .action((address: string, _options: object, command: Command) =>
      run(command, async ({ api, output }) => {
        const { appPasswords } = await api.call(api.rpc.listAppPasswords, { address });
        const shown = appPasswords.map(({ secret: _never, ...rest }) => rest);
        output.show(shown, () => table(appPasswords, columns, 'No app passwords.'));
      }),
    );
  group
    .command('delete <address> <name>')
    .description('remove one, by name or id; effective with the next login')
    .action((address: string, id: string, _options: object, command: Command) =>
      run(command, async ({ api, output }) => {
        await api.call(api.rpc.deleteAppPassword, { address, id });
        output.show({ deleted: id }, () => `Deleted ${id}.`);
      }),
    );
}
