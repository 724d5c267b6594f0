/**
 * The outcome of every check as a fact, `check.<name>`: what it may be, and the event from which it is known. Where settings leave a check off it is
 * asked for the condition (fact-checks.ts); '' = it had nothing to look at. The lists equal those of the checks themselves, which a test of policy holds.
 */
import type { FactEntry } from './fact-table.js';

const seen = ['listed', 'clear', 'unusable', 'dns_temperror'] as const;
const listing = ['allowed', 'blocked', 'unlisted', 'unavailable'] as const;
const greylisting = [
  ...(['new', 'early', 'unavailable_defer', 'unavailable'] as const),
  ...(['passed', 'known', 'auto_allowed', 'exempt'] as const),
] as const;
const standing = ['own', 'allowed', 'foreign', 'unavailable'] as const;
const signing = ['pass', 'temperror', 'policy', 'fail', 'neutral', 'permerror', 'none'] as const;

const ofClient = { type: 'string', since: 'connect', asked: true } as const;
const ofSender = { type: 'string', since: 'mail', asked: true } as const;
const ofRecipient = { type: 'string', since: 'rcpt', asked: true, differs: true } as const;
const ofHeader = { type: 'string', since: 'headers' } as const;
const ofBody = { type: 'string', since: 'body' } as const;

export const checkFacts = {
  'check.dnswl': { ...ofClient, doc: 'Is the client on a list of good clients?', values: seen },
  'check.country': {
    ...ofClient,
    doc: 'Is the country of the client blocked?',
    values: ['accepted', 'blocked', 'unknown', 'exempt', 'unavailable'],
  },
  'check.dnsbl': {
    ...ofClient,
    doc: 'Is the client on a blocklist? dns_temperror: a list did not answer.',
    values: ['listed', 'clear', 'exempt', 'unusable', 'dns_temperror'],
  },
  'check.ptr': {
    ...ofClient,
    doc: 'Has the client a reverse name that leads back to it?',
    values: ['confirmed', 'unconfirmed', 'missing', 'exempt', 'temperror'],
  },
  'check.helo': {
    ...{ type: 'string', since: 'ehlo', asked: true },
    doc: 'Is the greeting a name that may be?',
    values: [
      ...(['valid', 'literal', 'malformed', 'bare', 'ours'] as const),
      ...(['foreign_literal', 'unresolved', 'exempt', 'temperror'] as const),
    ],
  },
  'check.lists': { ...ofSender, doc: 'Do lists of operator, tenant or domain name client or sender?', values: listing },
  'check.identity': { ...ofSender, doc: 'Is the reverse-path of a login its own?', values: standing },
  'check.spf': {
    ...ofSender,
    doc: 'The same as spf.result.',
    values: ['pass', 'fail', 'softfail', 'neutral', 'none', 'temperror', 'permerror'],
  },
  'check.sender': {
    ...ofSender,
    doc: 'Can mail be sent to the domain of the sender?',
    values: ['mx', 'address', 'null_mx', 'missing', 'invalid', 'exempt', 'temperror'],
  },
  'check.lists_user': { ...ofRecipient, doc: 'Do the lists of the recipient name client or sender?', values: listing },
  'check.recipients': {
    ...ofRecipient,
    doc: 'Does the recipient exist?',
    values: [
      ...(['exists', 'tagged', 'expanded', 'catch_all', 'forwarded'] as const),
      ...(['unknown', 'disabled', 'expansion_failed', 'unavailable'] as const),
    ],
  },
  'check.callforward': {
    ...ofRecipient,
    doc: 'Does the next hop know the recipient?',
    values: ['listed', 'known', 'unknown', 'unavailable'],
  },
  'check.greylist': {
    ...ofRecipient,
    doc: 'Has this origin sent from the sender to the recipient?',
    values: greylisting,
  },
  'check.lists_from': { ...ofHeader, doc: 'Do lists of operator, tenant or domain name an author?', values: listing },
  'check.lists_user_from': {
    ...{ ...ofHeader, differs: true },
    doc: 'Do the lists of the recipient name an author?',
    values: listing,
  },
  'check.author': { ...ofHeader, doc: 'Is the From field of a login its own?', values: [...standing, 'missing'] },
  'check.dkim': { ...ofBody, doc: 'The same as dkim.result.', values: signing },
  'check.greylist_signed': {
    ...ofBody,
    doc: 'Greylisting by signature, where settings have it; not asked for a condition.',
    values: greylisting,
  },
  'check.domainkeys': { ...ofBody, doc: 'Does the DomainKeys signature hold?', values: signing },
  'check.arc': { ...ofBody, doc: 'The same as arc.result.', values: ['none', 'pass', 'fail', 'temperror'] },
  'check.dmarc': {
    ...ofBody,
    doc: 'The same as dmarc.result.',
    values: ['pass', 'fail', 'overridden', 'none', 'temperror', 'permerror'],
  },
  'check.uribl': { ...ofBody, doc: 'Is a domain in the message on a domain list?', values: seen },
  'uribl.domains': {
    ...{ type: 'strings', since: 'body', lower: true },
    doc: 'Domains of the message that are listed.',
  },
  'uribl.zones': { ...{ type: 'strings', since: 'body', lower: true }, doc: 'The lists that name them.' },
} as const satisfies Readonly<Record<string, FactEntry>>;

const prefix = 'check.';

/** `helo` for `check.helo`; undefined for any other fact. */
export const checkOfFact = (name: string): string | undefined =>
  name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
