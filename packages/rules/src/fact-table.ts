/**
 * Every fact a condition may name: its type, the first event that knows it, and what it means. The types of `Facts`,
 * the checker's declarations and the reference page all come from this one table. A fact nobody supplied reads as the
 * empty value of its type ('' 0 false []), so a condition needs no test for presence.
 * Domains and header names are compared in lower case; the values are made so on the way in.
 */
import { checkFacts } from './check-facts.js';
import type { RuleEvent } from './event.js';
import type { FactForm } from './fact-form.js';

export interface FactTypes {
  readonly string: string;
  readonly int: number;
  readonly double: number;
  readonly bool: boolean;
  readonly strings: readonly string[];
  readonly time: Date;
}

export interface FactEntry {
  readonly type: keyof FactTypes;
  readonly since: RuleEvent;
  readonly doc: string;
  /** Text that is compared in lower case. */
  readonly lower?: true;
  /** The one spelling in which it is compared, and constants with it. */
  readonly form?: FactForm;
  /** Needs a data file the operator may not have configured; then a condition naming it is refused when saved. */
  readonly needs?: 'country' | 'asn';
  /** All it can be, beside '' while it is not known. */
  readonly values?: readonly string[];
  /** The least and the most it can be. */
  readonly range?: readonly [least: number, most: number];
  /** A country code, or ''. */
  readonly isCountry?: true;
  /** Found out by asking others: a session that decides without a call does not know it. */
  readonly asked?: true;
  /** What a check found; it may differ between recipients of one message. */
  readonly differs?: true;
  /** Travels with the message, so that it is known after acceptance too. */
  readonly kept?: true;
}

export const factTable = {
  'client.address': { type: 'string', since: 'connect', doc: 'Address of the client, PROXY applied.', kept: true },
  'client.port': { type: 'int', since: 'connect', doc: 'Port of the client.', kept: true },
  'client.certificate': { type: 'string', since: 'ehlo', doc: 'Subject of a verified client certificate.' },
  'client.certificateNames': {
    type: 'strings',
    since: 'ehlo',
    doc: 'DNS names and mail addresses of a verified client certificate.',
    lower: true,
  },
  'client.certificateFingerprint': {
    type: 'string',
    since: 'ehlo',
    doc: 'SHA-256 of a verified client certificate, lower-case hexadecimal.',
  },
  'server.address': { type: 'string', since: 'connect', doc: 'Local address the client reached.' },
  'server.port': { type: 'int', since: 'connect', doc: 'Local port the client reached.' },
  'server.proxiedName': {
    type: 'string',
    since: 'connect',
    doc: 'Name the client asked a TLS proxy in front of us for.',
    lower: true,
  },
  'listener.name': { type: 'string', since: 'connect', doc: 'Name of the listener.', kept: true },
  'listener.role': {
    type: 'string',
    since: 'connect',
    doc: 'mx, submission or submissions.',
    values: ['mx', 'submission', 'submissions'],
  },
  ptr: { type: 'string', since: 'connect', doc: 'Confirmed reverse name of the client.', lower: true, asked: true },
  country: {
    type: 'string',
    since: 'connect',
    doc: 'ISO 3166 code of the client, upper case.',
    needs: 'country',
    isCountry: true,
    asked: true,
  },
  asn: { type: 'int', since: 'connect', doc: 'Autonomous system of the client.', needs: 'asn', asked: true },
  'dnsbl.listed': { type: 'bool', since: 'connect', doc: 'A configured blocklist names the client.', asked: true },
  'dnsbl.zones': { type: 'strings', since: 'connect', doc: 'The lists that name it.', lower: true, asked: true },
  'dnsbl.texts': { type: 'strings', since: 'connect', doc: 'What those lists say about it.', asked: true },
  helo: { type: 'string', since: 'ehlo', doc: 'The name given with EHLO or HELO.', lower: true, kept: true },
  esmtp: { type: 'bool', since: 'ehlo', doc: 'The client said EHLO, not HELO.' },
  'tls.active': { type: 'bool', since: 'connect', doc: 'The connection is encrypted now.', kept: true },
  'tls.version': {
    type: 'string',
    since: 'connect',
    doc: 'TLSv1.2 or TLSv1.3.',
    values: ['TLSv1.2', 'TLSv1.3'],
    kept: true,
  },
  'tls.cipher': { type: 'string', since: 'connect', doc: 'Name of the cipher.', kept: true },
  'auth.user': {
    type: 'string',
    since: 'auth',
    doc: 'The authenticated user; at the auth event the one asked for.',
    kept: true,
  },
  'auth.mechanism': { type: 'string', since: 'auth', doc: 'The SASL mechanism.' },
  'sender.address': {
    type: 'string',
    since: 'mail',
    doc: 'Reverse-path in lower case, domain in A-labels; empty for the null sender.',
    form: 'address',
    kept: true,
  },
  'sender.domain': {
    type: 'string',
    since: 'mail',
    doc: 'Its domain, in A-labels.',
    lower: true,
    form: 'domain',
    kept: true,
  },
  'sender.user': { type: 'string', since: 'mail', doc: 'Its local part, in lower case.', form: 'user', kept: true },
  'sender.spelled': { type: 'string', since: 'mail', doc: 'Reverse-path as the client wrote it.', kept: true },
  'message.declaredSize': { type: 'int', since: 'mail', doc: 'SIZE= of MAIL; 0 when absent.' },
  'spf.result': {
    type: 'string',
    since: 'mail',
    doc: 'pass, fail, softfail, neutral, none, temperror, permerror.',
    values: ['pass', 'fail', 'softfail', 'neutral', 'none', 'temperror', 'permerror'],
    asked: true,
  },
  'session.messages': { type: 'int', since: 'connect', doc: 'Messages accepted in this session.' },
  'session.bytes': { type: 'int', since: 'connect', doc: 'Bytes accepted in this session.' },
  'session.errors': { type: 'int', since: 'connect', doc: 'Failed commands in this session.' },
  'recipient.address': {
    type: 'string',
    since: 'rcpt',
    doc: 'Forward-path as the directory spells it: lower case, domain in A-labels, a +tag kept.',
    form: 'address',
    kept: true,
  },
  'recipient.domain': {
    type: 'string',
    since: 'rcpt',
    doc: 'Its domain, in A-labels.',
    lower: true,
    form: 'domain',
    kept: true,
  },
  'recipient.user': { type: 'string', since: 'rcpt', doc: 'Its local part, in lower case.', form: 'user', kept: true },
  'recipient.spelled': { type: 'string', since: 'rcpt', doc: 'Forward-path as the client wrote it.', kept: true },
  'recipient.routing': {
    type: 'string',
    since: 'rcpt',
    doc: 'local or relay.',
    values: ['local', 'relay'],
    kept: true,
  },
  'recipients.count': { type: 'int', since: 'rcpt', doc: 'Recipients accepted so far, this one included.' },
  'received.count': { type: 'int', since: 'headers', doc: 'Received header fields.' },
  'message.size': { type: 'int', since: 'body', doc: 'Bytes of the message as received.', kept: true },
  'message.parts': { type: 'int', since: 'body', doc: 'MIME parts.' },
  'message.types': { type: 'strings', since: 'body', doc: 'Content types of all parts.', lower: true },
  'message.attachments': {
    type: 'strings',
    since: 'body',
    doc: 'File names of attachments: each that some mail program may show, so one attachment can have several; empty for one without.',
  },
  'message.largestAttachment': { type: 'int', since: 'body', doc: 'Decoded bytes of the largest attachment.' },
  'message.incomplete': {
    type: 'bool',
    since: 'body',
    doc: 'It has more parts than are read (1,000), nests deeper (50), or a part has a longer header section (64 KiB) or more names of attachments (50) than are read; refused unless a rule accepts it.',
  },
  'dkim.result': {
    type: 'string',
    since: 'body',
    doc: 'Best result of all signatures.',
    values: ['pass', 'temperror', 'policy', 'fail', 'neutral', 'permerror', 'none'],
  },
  'dkim.domains': { type: 'strings', since: 'body', doc: 'Domains with a passing signature.', lower: true },
  'dmarc.result': {
    type: 'string',
    since: 'body',
    doc: 'pass, fail, overridden, none, temperror, permerror.',
    values: ['pass', 'fail', 'overridden', 'none', 'temperror', 'permerror'],
  },
  'dmarc.policy': {
    type: 'string',
    since: 'body',
    doc: 'none, quarantine or reject, as published.',
    values: ['none', 'quarantine', 'reject'],
  },
  'arc.result': {
    type: 'string',
    since: 'body',
    doc: 'pass, fail, none or temperror.',
    values: ['pass', 'fail', 'none', 'temperror'],
  },
  ...checkFacts,
  score: { type: 'double', since: 'body', doc: 'Spam score.' },
  virus: { type: 'string', since: 'body', doc: 'Name of the virus found.' },
  'message.tags': { type: 'strings', since: 'relay', doc: 'Tags that rules and checks gave it.' },
  'route.host': { type: 'string', since: 'relay', doc: 'First host of the next hop chosen; empty = MX.', lower: true },
  'route.name': { type: 'string', since: 'relay', doc: 'Name of the next hop chosen; with MX the domain.' },
  'route.class': {
    type: 'string',
    since: 'relay',
    doc: 'local, remote, smarthost or report.',
    values: ['local', 'remote', 'smarthost', 'report'],
  },
  'delivery.attempt': { type: 'int', since: 'relay', doc: 'Number of this attempt, 1 is the first.' },
  'delivery.age': { type: 'int', since: 'relay', doc: 'Seconds since the message was accepted.' },
  'failure.code': { type: 'int', since: 'delivery-failure', doc: 'Reply code of the next hop; 0 without a reply.' },
  'failure.enhanced': { type: 'string', since: 'delivery-failure', doc: 'Its enhanced status code.' },
  'failure.text': { type: 'string', since: 'delivery-failure', doc: 'Its text.' },
  'failure.host': { type: 'string', since: 'delivery-failure', doc: 'Host that answered.', lower: true },
  'failure.attempts': { type: 'int', since: 'delivery-failure', doc: 'Attempts made, this one included.' },
  'time.now': { type: 'time', since: 'connect', doc: 'When the event happened.', kept: true },
  'time.hour': { type: 'int', since: 'connect', doc: 'Hour in UTC, 0 to 23.', range: [0, 23], kept: true },
  'time.weekday': {
    type: 'int',
    since: 'connect',
    doc: 'Day of the week in UTC, 0 is Sunday.',
    range: [0, 6],
    kept: true,
  },
} as const satisfies Readonly<Record<string, FactEntry>>;

type Table = typeof factTable;
export type FactName = keyof Table;
type GroupName = FactName extends infer Name ? (Name extends `${infer Group}.${string}` ? Group : never) : never;
type ValueOf<Name extends FactName> = FactTypes[Table[Name]['type']];
/** hour and weekday follow from now. */
type Derived = 'time.hour' | 'time.weekday';

type Plain = {
  readonly [Name in FactName as Name extends `${string}.${string}` ? never : Name]?: ValueOf<Name> | undefined;
};
type Grouped = {
  readonly [Group in GroupName]?:
    | {
        readonly [Name in Exclude<FactName, Derived> as Name extends `${Group}.${infer Field}` ? Field : never]?:
          | ValueOf<Name>
          | undefined;
      }
    | undefined;
};

/** What is known about one session, transaction and recipient. Header fields in their order, names in any case. */
export type Facts = Plain &
  Grouped & {
    readonly headers?: Iterable<readonly [name: string, value: string]> | undefined;
    /** No fact: who submits the mail, '' or absent = nobody here. Texts of another tenant's rules tell nothing of that login. */
    readonly submittingTenant?: string | undefined;
  };

const entries: ReadonlyMap<string, FactEntry> = new Map(Object.entries(factTable));

export function factEntry(name: string): FactEntry | undefined {
  return entries.get(name);
}

export function factNames(): readonly string[] {
  return [...entries.keys()];
}

/** headers is a value with methods, not a plain fact: values(name), first(name), has(name), count(name). */
export const HEADERS_SINCE: RuleEvent = 'headers';

const groupsOfRecipient: ReadonlySet<string> = new Set(['recipient', 'recipients', 'route', 'delivery', 'failure']);

/** May it differ between recipients of one message? Tags are of a rendering. */
export const isOfRecipient = (name: string): boolean =>
  name === 'message.tags' || entries.get(name)?.differs === true || groupsOfRecipient.has(name.split('.')[0] ?? '');

/** Who logged in or showed a certificate: the submitter's own. */
export const isOfSubmitter = (name: string): boolean =>
  name.startsWith('auth.') || name.startsWith('client.certificate');

/** Is it about who the recipient is? How many there are is said of the message. */
export const namesRecipient = (name: string): boolean => isOfRecipient(name) && !name.startsWith('recipients.');
