/** posternctl greylist show|clear */
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { age, printable } from '../output.js';
import { UsageError } from '../usage-error.js';

interface ClearOptions {
  readonly from?: string;
  readonly to?: string;
  readonly all?: boolean;
}

export function addGreylistCommands(program: Command, run: Run): void {
  const greylist = program.command('greylist').description('who is asked to come again');
  greylist
    .command('show <address|domain>')
    .usage('<address|domain> --from <address> --to <address>')
    .description('what is known of a client, or of the domain SPF passed for')
    .requiredOption('--from <address>', 'reverse-path')
    .requiredOption('--to <address>', 'recipient')
    .action((client: string, options: { from: string; to: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const query = { client, reversePath: options.from, recipient: options.to };
        const { result } = await api.call(api.rpc.showGreylist, { query });
        if (result === undefined) return;
        output.show(result, () => {
          const since = result.state === 'waiting' ? `, first seen ${age(result.ageMs)} ago` : '';
          const end = result.state === 'new' ? '' : `, forgotten in ${age(result.forgottenInMs)}`;
          return printable(
            `${result.origin}: ${result.state}${since}${end}; ${result.originPassed} of this origin passed`,
          );
        });
      }),
    );
  greylist
    .command('clear [address|domain]')
    .description('forget what a client earned, with --from and --to one triplet, with --all everything')
    .option('--from <address>', 'reverse-path')
    .option('--to <address>', 'recipient')
    .option('--all', 'everything of everybody')
    .action((client: string | undefined, options: ClearOptions, command: Command) =>
      run(command, async ({ api, output }) => {
        const all = options.all === true;
        if (all === (client !== undefined)) throw new UsageError('greylist clear: name a client, or --all');
        if ((options.from === undefined) !== (options.to === undefined))
          throw new UsageError('greylist clear: --from and --to go together');
        const query = { client: client ?? '', reversePath: options.from ?? '', recipient: options.to ?? '', all };
        const { result } = await api.call(api.rpc.clearGreylist, { query });
        const cleared = result?.cleared ?? 0;
        output.show({ cleared }, () => `${cleared} entr${cleared === 1 ? 'y' : 'ies'} forgotten.`);
      }),
    );
}
