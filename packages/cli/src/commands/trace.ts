/** posternctl trace <id> | --recipient | --sender: where is my mail, and why. */
import type { TraceEvent } from '@postern/proto/mail/v1/trace';
import type { MessageTrace } from '@postern/proto/queue/v1/queue_service';
import type { Command } from 'commander';
import type { Run } from '../context.js';
import { duration, wholeNumber } from '../numbers.js';
import { printable, time } from '../output.js';
import { PlainError, UsageError } from '../usage-error.js';

function eventLine(event: TraceEvent): string {
  const parts = [
    event.recipient === '' ? '' : `<${event.recipient}>`,
    event.reply === '' ? '' : `"${event.reply}"`,
    ...Object.entries(event.detail).map(([name, value]) => `${name}=${value}`),
  ].filter((part) => part !== '');
  return printable(`  ${time(event.atMs)}  ${event.event.padEnd(32)}  ${parts.join(' ')}`.trimEnd());
}

/** A session of which no message is shown here; one may have been taken for other recipients than the one asked for. */
function sessionTitle({ sessionId, events }: MessageTrace): string {
  const taken = events.find(({ event }) => event === 'edge.message.accepted');
  if (taken === undefined) return `Session ${sessionId} (refused)`;
  if (events.some(({ event }) => event === 'queue.message.parked'))
    return `Session ${sessionId} (message ${taken.queueId} was taken and is parked: posternctl queue parked)`;
  if (!events.some(({ event }) => event.endsWith('.rejected')))
    return `Session ${sessionId} (message ${taken.queueId} was taken and is not queued yet)`;
  return `Session ${sessionId} (refused in part; message ${taken.queueId} was taken)`;
}

function messageText(message: MessageTrace): string {
  const title = message.queueId === '' ? sessionTitle(message) : `Message ${message.queueId}`;
  const session = message.queueId === '' || message.sessionId === '' ? '' : `, session ${message.sessionId}`;
  // A refused session without a sender may never have come to MAIL.
  const from = message.queueId === '' && message.reversePath === '' ? '' : ` from <${message.reversePath}>`;
  const messageId = message.messageId === '' ? '' : `, Message-ID <${message.messageId}>`;
  const recipients = message.recipients.map((recipient) => {
    const tries =
      recipient.attempts === 0 ? '' : `, ${recipient.attempts} ${recipient.attempts === 1 ? 'try' : 'tries'}`;
    const reply = recipient.reply === '' ? '' : `: ${recipient.reply}`;
    return printable(`  to <${recipient.address}>  ${recipient.state}${tries}${reply}`);
  });
  return [printable(`${title}${from}${session}${messageId}`), ...recipients, ...message.events.map(eventLine)].join(
    '\n',
  );
}

interface TraceOptions {
  readonly recipient?: string;
  readonly sender?: string;
  readonly tenant?: string;
  readonly since?: number;
  readonly limit: number;
}

export function addTraceCommand(program: Command, run: Run): void {
  program
    .command('trace [id]')
    .description(
      'the way of a message: by queue id (from the 250 reply), session id (from a refusal), Message-ID, sender or recipient',
    )
    .option('--recipient <address>', 'recipient')
    .option('--sender <address>', 'reverse-path; <> for mail without one, such as reports')
    .option('--since <duration>', 'only what is younger, such as 2h', duration)
    .option('--tenant <name>', 'tenant (operators)')
    .option('--limit <n>', 'at most this many messages', wholeNumber(1, 100), 20)
    .action((id: string | undefined, options: TraceOptions, command: Command) =>
      run(command, async ({ api, output, now }) => {
        if (id === undefined && options.recipient === undefined && options.sender === undefined) {
          throw new UsageError('trace: give an id, --recipient or --sender');
        }
        const query = {
          tenant: options.tenant ?? '',
          id: id ?? '',
          reversePath: options.sender === '' ? '<>' : (options.sender ?? ''),
          recipient: options.recipient ?? '',
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
