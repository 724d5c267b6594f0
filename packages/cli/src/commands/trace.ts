/** posternctl trace <id> | --recipient | --sender | --client: where is my mail, and why. */
import { isIP } from 'node:net';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { duration, wholeNumber } from '../numbers.js';
import { printable } from '../output.js';
import { PlainError, UsageError } from '../usage-error.js';
import { messageText } from './trace-text.js';

interface TraceOptions {
  readonly recipient?: string;
  readonly sender?: string;
  readonly client?: string;
  readonly tenant?: string;
  readonly since?: number;
  readonly limit: number;
}

export function addTraceCommand(program: Command, run: Run): void {
  program
    .command('trace [id]')
    .description(
      'the way of a message, or why it was refused: by queue id (from the 250 reply), session id (from a refusal), Message-ID, sender, recipient or client; newest first',
    )
    .option('--recipient <address>', 'recipient, in capital or small letters')
    .option(
      '--sender <address>',
      'reverse-path, or who tried to log in, in capital or small letters; <> for mail without one, such as reports',
    )
    .option('--client <address>', 'address of the client, as the edge saw it; its logins without a message too')
    .option('--since <duration>', 'only what is younger, such as 2h', duration)
    .option('--tenant <name>', 'tenant (operators)')
    .option('--limit <n>', 'at most this many messages and refusals, the newest', wholeNumber(1, 100), 20)
    .action((id: string | undefined, options: TraceOptions, command: Command) =>
      run(command, async ({ api, output, now }) => {
        const { recipient, sender, client } = options;
        if ([id, recipient, sender, client].every((asked) => asked === undefined))
          throw new UsageError('trace: give an id, --recipient, --sender or --client');
        if (client !== undefined && isIP(client) === 0)
          throw new UsageError(`--client: ${JSON.stringify(client)} is not allowed; expected an IP address`);
        const query = {
          tenant: options.tenant ?? '',
          id: id ?? '',
          reversePath: sender === '' ? '<>' : (sender ?? ''),
          recipient: recipient ?? '',
          clientAddress: client ?? '',
          fromMs: options.since === undefined ? 0 : now() - options.since,
          toMs: 0,
          limit: options.limit,
        };
        const { result } = await api.call(api.rpc.traceMessage, { query });
        const messages = result?.messages ?? [];
        if (messages.length === 0 && id !== undefined && !output.json)
          throw new PlainError(`nothing is known of ${printable(id)}`);
        output.show(messages, () =>
          messages.length === 0 ? 'Nothing found.' : messages.map(messageText).join('\n\n'),
        );
      }),
    );
}
