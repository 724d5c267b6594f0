/** posternctl queue parked list|show|retry|drop: what no service could work on, and what becomes of it */
import type { ParkedMessage, ParkedRecipient } from '@postern/proto/queue/v1/queue_service';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { wholeNumber } from '../numbers.js';
import { bytes, type Column, facts, table, time } from '../output.js';
import { unreportedText } from './unreported-text.js';

const mostListed = 10_000;

const some = (texts: readonly string[], count: number): string =>
  count > texts.length ? `${texts.join(' ')} and ${count - texts.length} more` : texts.join(' ');

const messageColumns: readonly Column<ParkedMessage>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'SINCE', value: ({ parkedAtMs }) => time(parkedAtMs) },
  { title: 'FROM STREAM', value: ({ stream }) => stream },
  { title: 'WHY', value: ({ reason }) => reason },
  { title: 'QUEUE ID', value: ({ queueId }) => queueId || '-' },
  { title: 'TENANT', value: ({ tenants }) => tenants.join(' ') || '-' },
  {
    title: 'RECIPIENTS',
    value: ({ recipients, recipientCount }) =>
      some(
        recipients.slice(0, 2).map(({ address }) => address),
        recipientCount,
      ) || '-',
  },
];

const recipientColumns: readonly Column<ParkedRecipient>[] = [
  { title: 'RECIPIENT', value: ({ address }) => address },
  { title: 'QUEUE ID', value: ({ queueId }) => queueId },
  { title: 'TENANT', value: ({ tenant }) => tenant },
  { title: 'IN THE LEDGER', value: ({ state }) => state },
];

function story(message: ParkedMessage): string {
  const { id, stream, reason, parkedAtMs, unreadable } = message;
  const pairs: [string, string | number][] = [
    ['id', id],
    ['from stream', stream],
    ['why', reason],
    ['since', time(parkedAtMs)],
  ];
  if (unreadable !== '') pairs.push(['unreadable', unreadable]);
  if (message.queueId !== '') pairs.push(['queue id', message.queueId]);
  if (message.acceptedAtMs > 0) {
    pairs.push(['from', message.reversePath || '<>'], ['accepted', time(message.acceptedAtMs)]);
    pairs.push(['size', bytes(message.size)], ['body', message.bodyId === '' ? 'inside' : `BODIES ${message.bodyId}`]);
  }
  if (message.sessionId !== '') pairs.push(['session id', message.sessionId]);
  if (message.messageId !== '') pairs.push(['message id', message.messageId]);
  if (message.attempt > 0) pairs.push(['attempt', message.attempt]);
  if (message.lane !== '') pairs.push(['lane', message.lane]);
  const { recipients, recipientCount } = message;
  const more = recipientCount > recipients.length ? `\n... and ${recipientCount - recipients.length} more` : '';
  return `${facts(pairs)}\n\n${table(recipients, recipientColumns, 'It names no recipients.')}${more}`;
}

const plural = (count: number): string => `${count} recipient${count === 1 ? '' : 's'}`;

export function addParkedCommands(queue: Command, run: Run): void {
  const parked = queue.command('parked').description('mail that could not be worked on and waits for a decision');
  parked
    .command('list', { isDefault: true })
    .description('what is parked, why and since when, oldest first')
    .option('--tenant <name>', 'tenant (operators)')
    .option('--limit <n>', 'at most this many', wholeNumber(1, mostListed), 100)
    .action((options: { tenant?: string; limit: number }, command: Command) =>
      run(command, async ({ api, output }) => {
        const messages: ParkedMessage[] = [];
        let pageToken = '';
        do {
          const pageSize = Math.min(1_000, options.limit - messages.length);
          const query = { tenant: options.tenant ?? '', pageSize, pageToken };
          const { result } = await api.call(api.rpc.listParked, { query });
          messages.push(...(result?.messages ?? []));
          pageToken = result?.nextPageToken ?? '';
        } while (pageToken !== '' && messages.length < options.limit);
        output.show(messages, () => table(messages, messageColumns, 'Nothing is parked.'));
      }),
    );
  parked
    .command('show <id>')
    .description('one parked message: why, its envelope, its recipients in the ledger')
    .option('--tenant <name>', 'tenant (operators)')
    .action((id: string, options: { tenant?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const { result } = await api.call(api.rpc.getParked, { query: { tenant: options.tenant ?? '', id } });
        const message = result?.message;
        if (message !== undefined) output.show(message, () => story(message));
      }),
    );
  parked
    .command('retry <id>')
    .description('put it back where it came from')
    .option('--tenant <name>', 'tenant (operators)')
    .option('--reason <text>', 'kept in the trace')
    .action((id: string, options: { tenant?: string; reason?: string }, command: Command) =>
      run(command, async ({ api, output }) => {
        const query = { tenant: options.tenant ?? '', id, reason: options.reason ?? '', actor: '' };
        const { result } = await api.call(api.rpc.retryParked, { query });
        const { stream, recipients } = result ?? { stream: '', recipients: 0 };
        output.show({ stream, recipients }, () => `Back in ${stream} with ${plural(recipients)}.`);
      }),
    );
  parked
    .command('drop <id>')
    .description('end it: its recipients are closed in the ledger')
    .requiredOption('--reason <text>', 'kept in ledger and trace')
    .option('--bounce', 'with a report to the sender, if known to be the sender')
    .option('--tenant <name>', 'tenant (operators)')
    .action((id: string, options: { tenant?: string; reason: string; bounce?: boolean }, command: Command) =>
      run(command, async ({ api, output }) => {
        const bounce = options.bounce === true;
        const query = { tenant: options.tenant ?? '', id, reason: options.reason, actor: '', bounce };
        const { result } = await api.call(api.rpc.dropParked, { query });
        const recipients = result?.recipients ?? 0;
        const unreported = result?.unreported ?? {};
        output.show(bounce ? { recipients, unreported } : { recipients }, () =>
          [
            `Dropped; ${plural(recipients)} closed as ${bounce ? 'bounced' : 'deleted'}.`,
            ...unreportedText(unreported),
          ].join('\n'),
        );
      }),
    );
}
