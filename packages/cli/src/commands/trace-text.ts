/**
 * Message trace for people: whose message or session, the state of each recipient, then a line for every step with its reply and, first of what is known,
 * the reason in plain words. Steps that differ in their recipient alone are one line. Programs read `--json`.
 */
import type { TraceEvent } from '@postern/proto/mail/v1/trace';
import type { MessageTrace } from '@postern/proto/queue/v1/queue_service';
import { printable, time } from '../output.js';

/** Of events that are nobody's but the operator's. */
const operatorTenant = 'system';
const mostAddresses = 10;
/** In the title of a session. */
const mostSenders = 3;
/** Of facts in one line; more stand below each other. */
const longestLine = 240;
const factLine = '\n      ';

/** Reasons of the edge that are short for something. */
const reasons: Readonly<Record<string, string>> = {
  'no relay right': 'its domain is not hosted here, and the client neither logged in nor is in a relay network',
  'declared size': 'the client announced more than is taken',
  size: 'the message is larger than is taken',
  'address bytes limit': 'one message with more than a client address may send in an interval',
  'user bytes limit': 'one message with more than a user may send in an interval',
  'tenant bytes limit': 'one message with more than a tenant may send in an interval',
  'address recipients limit': 'more recipients than a client address may have in an interval',
  'user recipients limit': 'more recipients than a user may have in an interval',
  'tenant recipients limit': 'more recipients than a tenant may have in an interval',
  'session bytes limit': 'more than a session may bring',
  'session messages limit': 'more messages than a session may bring',
  'recipient limit': 'more recipients than a message may have',
  hops: 'too many Received fields: it goes in a circle',
  bareNewline: 'a CR or LF that does not end a line',
  nul: 'a NUL in a line',
  lineTooLong: 'a line longer than is taken',
  'no password': 'the user has no password (made with --no-login)',
  'no recoverable password':
    'this mechanism needs a password that is kept (posternctl user keep-password); others do not',
  'policy unavailable': 'no policy pod answered, so nothing could be judged',
};

/** What the check of recipients found. */
const recipientReasons: Readonly<Record<string, string>> = {
  unknown: 'no user, alias, group or catch-all of the domain takes it',
  disabled: 'the user is disabled',
};

const notices: Readonly<Record<string, string>> = {
  send: 'a report to the sender follows',
  'not-asked': 'no report: the sender asked for none (NOTIFY)',
  'null-reverse-path': 'no report: the message has no sender to tell',
  unauthenticated: 'no report: neither a login nor SPF or DKIM vouches for the sender',
};

const limit = /^(\S+) (\S+) limit (\d+)(?: in (\S+))? \((\w+)\)$/;

const scopes: Readonly<Record<string, string>> = {
  service: 'the whole service',
  address: 'the client address',
  user: 'the login',
  tenant: 'the tenant',
};

function reasonText(reason: string, found: string | undefined): string {
  if (found !== undefined)
    return reason === 'recipients' && recipientReasons[found] !== undefined
      ? `${recipientReasons[found]} (check recipients: ${found})`
      : `check ${reason}: ${found}`;
  const [, scope, kind, most, interval, decidedBy] = limit.exec(reason) ?? [];
  if (scope !== undefined)
    return `over the limit of ${scopes[scope] ?? scope}: ${most} ${kind}${interval === undefined ? '' : ` in ${interval}`}${decidedBy === 'local' ? ', counted by one pod alone' : ''}`;
  if (/^[\w.-]+@\d+$/.test(reason)) return `rule ${reason}`;
  return reasons[reason] ?? reason;
}

/** Where it came from, the same in every line of a session, stands last. */
const origin = ['client', 'listener', 'helo'];

function detailText({
  detail: { reason, notice, unverified_domain, unverified_tenant, nth: _nth, ...detail },
}: TraceEvent): string {
  // A check that refused is told with what it found; words for other reasons may be names of figures too.
  const found = reason === undefined || reason in reasons ? undefined : detail[reason];
  const last = 'client' in detail ? origin.filter((name) => name in detail) : [];
  const names = Object.keys(detail).filter((name) => !last.includes(name) && (found === undefined || name !== reason));
  const told = [...names, ...last]
    .filter((name) => name !== 'cached' || detail[name] === 'true')
    .map((name) => `${name}=${detail[name]}`);
  const facts = told.join(told.join(' ').length > longestLine ? factLine : ' ');
  const words = [
    unverified_domain !== undefined
      ? `reason: domain ${unverified_domain} of tenant ${unverified_tenant} is not verified yet (posternctl domain verify ${unverified_domain})`
      : reason === undefined || reason === ''
        ? ''
        : `reason: ${reasonText(reason, found)}`,
    notice === undefined ? '' : (notices[notice] ?? `notice=${notice}`),
    facts,
  ];
  return words.filter((part) => part !== '').join('; ');
}

/** A step as it is told: with all the recipients it differs in alone, and how often it came. */
interface Line {
  readonly event: TraceEvent;
  readonly recipients: string[];
  times: number;
}

interface Telling {
  /** Of a step that is told several times, to each what it may know: to whom. */
  readonly isToldTwice: boolean;
  /** The session had several senders: each step says whose it is. */
  readonly namesSender: boolean;
}

function eventLine({ event, recipients, times }: Line, { isToldTwice, namesSender }: Telling): string {
  const more = recipients.length - mostAddresses;
  const reader = event.tenant === operatorTenant || event.tenant === '' ? 'the operator' : `tenant ${event.tenant}`;
  const parts = [
    isToldTwice ? `(as ${reader} sees it)` : '',
    recipients.length === 0 && times > 1 ? `${times} times` : '',
    namesSender && event.reversePath !== '' ? `from <${event.reversePath}>` : '',
    ...recipients.slice(0, mostAddresses).map((address) => `<${address}>`),
    more > 0 ? `and ${more} more` : '',
    event.reply === '' ? '' : `"${event.reply}"`,
    detailText(event),
  ].filter((part) => part !== '');
  const text = `  ${time(event.atMs)}  ${event.event.padEnd(32)}  ${parts.join(' ')}`.trimEnd();
  return text.split(factLine).map(printable).join(factLine);
}

const stepOf = ({ event, atMs, queueId, reply }: TraceEvent, recipients: readonly string[]): string =>
  JSON.stringify([event, atMs, queueId, reply, recipients]);

function eventLines(events: readonly TraceEvent[], namesSender: boolean): string[] {
  const alike = new Map<string, Line>();
  for (const event of events) {
    const { recipient, tenant: _tenant, detail, ...rest } = event;
    const { nth: _nth, ...facts } = detail;
    const key = JSON.stringify([rest, facts]);
    const line = alike.get(key) ?? { event, recipients: [], times: 0 };
    alike.set(key, line);
    // Told to several, it came once.
    if (event.tenant === line.event.tenant) line.times++;
    if (recipient !== '') line.recipients.push(recipient);
  }
  const lines = [...alike.values()];
  const readers = Map.groupBy(lines, ({ event, recipients }) => stepOf(event, recipients));
  const isToldTwice = (step: string): boolean => new Set(readers.get(step)?.map(({ event }) => event.tenant)).size > 1;
  return lines.map((line) =>
    eventLine(line, { isToldTwice: isToldTwice(stepOf(line.event, line.recipients)), namesSender }),
  );
}

/** A session that was refused may have tried several senders; those of the steps, each once. */
const sendersOf = ({ queueId, reversePath, events }: MessageTrace): string[] =>
  queueId === '' ? [...new Set([reversePath, ...events.map((event) => event.reversePath)])].filter(Boolean) : [];

/** A refused session without a sender may never have come to MAIL. */
function senderText({ queueId, reversePath }: MessageTrace, senders: readonly string[]): string {
  if (queueId !== '') return ` from <${reversePath}>`;
  if (senders.length > mostSenders) return ` from ${senders.length} senders`;
  return senders.length === 0 ? '' : ` from ${senders.map((sender) => `<${sender}>`).join(', ')}`;
}

/** Steps that refuse nothing. */
const harmless: ReadonlySet<string> = new Set(['edge.login.succeeded']);

/** Of what has no message here: a session that was refused, or one message of it, or one that was taken for other recipients than the one asked for. */
function refusalTitle({ sessionId, events }: MessageTrace): string {
  const taken = events.find(({ event }) => event === 'edge.message.accepted');
  const refused = events.find(({ event, queueId }) => event === 'edge.message.rejected' && queueId !== taken?.queueId);
  if (events.length > 0 && events.every(({ event }) => harmless.has(event))) return `Session ${sessionId} (no message)`;
  if (taken === undefined)
    return refused === undefined
      ? `Session ${sessionId} (refused)`
      : `Message ${refused.queueId} (refused), session ${sessionId}`;
  if (events.some(({ event }) => event === 'queue.message.parked'))
    return `Session ${sessionId} (message ${taken.queueId} was taken and is parked: posternctl queue parked)`;
  if (!events.some(({ event }) => event.endsWith('.rejected')))
    return `Session ${sessionId} (message ${taken.queueId} was taken and is not queued yet)`;
  return `Session ${sessionId} (refused in part; message ${taken.queueId} was taken)`;
}

/** What became of recipients of others is theirs to see; a report comes back as mail. */
function elsewhereText({ recipients, recipientsElsewhere }: MessageTrace): string[] {
  if (!recipientsElsewhere) return [];
  const which = recipients.length === 0 ? 'its recipients are' : 'more of its recipients are';
  return [`  accepted; ${which} of another tenant, whose trace has the rest`];
}

export function messageText(message: MessageTrace): string {
  const title = message.queueId === '' ? refusalTitle(message) : `Message ${message.queueId}`;
  const session = message.queueId === '' || message.sessionId === '' ? '' : `, session ${message.sessionId}`;
  const senders = sendersOf(message);
  const from = senderText(message, senders);
  const messageId = message.messageId === '' ? '' : `, Message-ID <${message.messageId}>`;
  const recipients = message.recipients.map((recipient) => {
    const tries =
      recipient.attempts === 0 ? '' : `, ${recipient.attempts} ${recipient.attempts === 1 ? 'try' : 'tries'}`;
    const reply = recipient.reply === '' ? '' : `: ${recipient.reply}`;
    return printable(`  to <${recipient.address}>  ${recipient.state}${tries}${reply}`);
  });
  return [
    printable(`${title}${from}${session}${messageId}`),
    ...recipients,
    ...elsewhereText(message),
    ...eventLines(message.events, senders.length > 1),
  ].join('\n');
}
