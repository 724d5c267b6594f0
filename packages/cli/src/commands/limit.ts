/** posternctl limit show, posternctl ban list|add|lift */
import type { Ban, LimitReading } from '@postern/proto/policy/v1/limit_service';
import { type Command, Option } from 'commander';
import type { Run } from '../context.js';
import { duration } from '../numbers.js';
import { age, type Column, printable, table } from '../output.js';

const limitColumns: readonly Column<LimitReading>[] = [
  { title: 'SCOPE', value: (reading) => reading.scope },
  { title: 'LIMITED', value: (reading) => reading.kind },
  { title: 'USED', value: (reading) => reading.used, right: true },
  { title: 'LIMIT', value: (reading) => reading.limit, right: true },
  { title: 'RESET IN', value: (reading) => (reading.resetMs === 0 ? '' : age(reading.resetMs)), right: true },
];

const banColumns: readonly Column<Ban>[] = [
  { title: 'CLIENT', value: (ban) => ban.client },
  { title: 'ENDS IN', value: (ban) => age(ban.remainingMs), right: true },
  { title: 'SINCE', value: (ban) => age(ban.ageMs), right: true },
  { title: 'BY', value: (ban) => ban.by },
  { title: 'REASON', value: (ban) => ban.reason },
];

export function addLimitCommands(program: Command, run: Run): void {
  program
    .command('limit')
    .description('limits of clients, over all pods')
    .command('show <address|user|tenant>')
    .description('what every limit of it holds now')
    .action((subject: string, _options: unknown, command: Command) =>
      run(command, async ({ api, output }) => {
        const { result, unknownUser } = await api.call(api.rpc.showLimits, { query: { subject } });
        if (result === undefined) return;
        output.show({ ...result, unknownUser }, () => {
          const member = result.ipSet === '' ? '' : `, in IP set ${result.ipSet}`;
          const ban =
            result.ban === undefined ? [] : [`Banned for ${age(result.ban.remainingMs)} more: ${result.ban.reason}`];
          const denied = result.denied.map((listener) => `May not connect to ${listener}`);
          const head = `${result.kind} ${result.countedAs}${member}`;
          const exempt =
            result.exempt === ''
              ? []
              : [`Its errors are not counted, and it is not banned for them: ${result.exempt}. What is below holds.`];
          const nobody = unknownUser ? ['No user has this address: what is below is counted under the name.'] : [];
          return [
            ...[head, ...nobody, ...denied, ...ban, ...exempt].map(printable),
            table(result.limits, limitColumns, 'Nothing is limited.'),
          ].join('\n');
        });
      }),
    );
  const ban = program.command('ban').description('addresses that may not connect for a time');
  ban
    .command('list', { isDefault: true })
    .description('bans that hold now')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ api, output }) => {
        const { result } = await api.call(api.rpc.listBans, { query: {} });
        const bans = result?.bans ?? [];
        const more = (result?.total ?? 0) - bans.length;
        output.show(
          bans,
          () => `${table(bans, banColumns, 'Nobody is banned.')}${more > 0 ? `\n... and ${more} more` : ''}`,
        );
      }),
    );
  ban
    .command('add <address>')
    .description('ban an address; of IPv6 its prefix. For a network write an access rule')
    .addOption(new Option('--for <duration>', 'how long').argParser(duration).default(3_600_000, '1h'))
    .option('--reason <text>', 'kept in list, log and audit', '')
    .option('--force', 'even this machine itself or a member of a trusted set')
    .action((address: string, options: { for: number; reason: string; force?: boolean }, command: Command) =>
      run(command, async ({ api, output }) => {
        const query = {
          address,
          lengthMs: options.for,
          reason: options.reason,
          actor: '',
          force: options.force === true,
        };
        const { result } = await api.call(api.rpc.addBan, { query });
        output.show(result, () => `${printable(result?.client ?? '')} is banned for ${age(options.for)}.`);
      }),
    );
  ban
    .command('lift <address>')
    .description('end a ban and forget the errors of the address')
    .action((address: string, _options: unknown, command: Command) =>
      run(command, async ({ api, output }) => {
        const { result } = await api.call(api.rpc.liftBan, { query: { address } });
        const client = printable(result?.client ?? '');
        output.show(result, () =>
          result?.wasBanned === true ? `${client} may connect again.` : `${client} was not banned.`,
        );
      }),
    );
}
