/** posternctl mailbox: what has arrived in the mailbox sink of a local cluster. Talks to the sink, not to the API. */
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { bytes, type Column, printable, table } from '../output.js';
import { PlainError } from '../usage-error.js';

interface Message {
  readonly id: string;
  readonly recipient: string;
  readonly reversePath: string;
  readonly receivedAt: string;
  readonly bytes: number;
}

const columns: readonly Column<Message>[] = [
  { title: 'ID', value: (message) => message.id },
  { title: 'RECEIVED', value: (message) => message.receivedAt.replace('T', ' ') },
  { title: 'FROM', value: (message) => message.reversePath || '<>' },
  { title: 'TO', value: (message) => message.recipient },
  { title: 'SIZE', value: (message) => bytes(message.bytes), right: true },
];

const deadlineMs = 10_000;

async function fetchFrom(base: string, path: string): Promise<Response> {
  try {
    return await fetch(new URL(path, base), { signal: AbortSignal.timeout(deadlineMs) });
  } catch {
    throw new PlainError(`the mailbox at ${base} does not answer; does the cluster run?`);
  }
}

function isMessage(value: unknown): value is Message {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    'recipient' in value &&
    'reversePath' in value &&
    'receivedAt' in value &&
    'bytes' in value
  );
}

async function listOf(response: Response): Promise<Message[]> {
  const body: unknown = await response.json();
  const list = typeof body === 'object' && body !== null && 'messages' in body ? body.messages : body;
  return Array.isArray(list) ? list.filter(isMessage) : [];
}

export function addMailboxCommands(program: Command, run: Run): void {
  const mailbox = program.command('mailbox').description('what has arrived in the mailbox of a local cluster');
  const baseOf = (found: { readonly mailbox: string | undefined } | undefined): string => {
    if (found?.mailbox === undefined)
      throw new PlainError('no local cluster with a mailbox found: start one with `npm start`, or give --data DIR');
    return found.mailbox;
  };
  mailbox
    .command('list', { isDefault: true })
    .description('newest first')
    .option('--recipient <address>', 'of that recipient only')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 10_000), 50)
    .action((options: { recipient?: string; limit: number }, command: Command) =>
      run(command, async ({ output, run: findRun }) => {
        const asked = new URLSearchParams({ limit: String(options.limit) });
        if (options.recipient !== undefined) asked.set('recipient', options.recipient);
        const messages = await listOf(await fetchFrom(baseOf(findRun()), `/messages?${asked}`));
        output.show(messages, () => table(messages, columns, 'The mailbox is empty.'));
      }),
    );
  mailbox
    .command('show <id>')
    .description('one message as it arrived')
    .action((id: string, _options: object, command: Command) =>
      run(command, async ({ output, run: findRun }) => {
        const base = baseOf(findRun());
        const path = `/messages/${encodeURIComponent(id)}`;
        const response = await fetchFrom(base, output.json ? path : `${path}/raw`);
        if (!response.ok) throw new PlainError(`no message ${printable(id)} in the mailbox`);
        if (output.json) output.show(await response.json(), () => '');
        else
          output.line(
            (await response.text())
              .split(/\r?\n/)
              .map((line) => printable(line.replaceAll('\t', '    ')))
              .join('\n'),
          );
      }),
    );
}
