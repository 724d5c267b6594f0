/**
 * What the services of this release carry out. The language is larger than that: an action, event or fact nobody acts on or finds out yet
 * is refused when saved, with the reason, and never silently ignored. Shrinks with every release; pure data.
 */
import type { Action, ActionKind } from './action.js';
import { isKnownAt, type RuleEvent, ruleEvents } from './event.js';
import { factEntry } from './fact-table.js';

export interface Unsupported {
  /** Why this action at this event, under conditions that name these facts, would have no effect; undefined = it has one. */
  action(action: Action, event: RuleEvent, facts: ReadonlySet<string>): string | undefined;
  /** Why nobody finds this fact out. */
  fact(name: string): string | undefined;
}

const span = (first: RuleEvent, last: RuleEvent): readonly RuleEvent[] =>
  ruleEvents.filter((event) => isKnownAt(first, event) && isKnownAt(event, last));
const session = span('connect', 'body');
const message = span('mail', 'body');
const rendering = span('rcpt', 'body');
const opening = span('connect', 'rcpt');
const failures: readonly RuleEvent[] = ['delivery-failure', 'temporary-failure'];
const delivery: readonly RuleEvent[] = ['relay', ...failures];

const carriedOut: { readonly [Kind in ActionKind]: readonly RuleEvent[] } = {
  accept: session,
  reject: [...session, 'relay', 'temporary-failure'],
  tempfail: [...session, 'relay', 'delivery-failure'],
  close: session,
  greeting: ['connect'],
  auth: ['connect', 'ehlo'],
  requireTls: opening,
  allowRelay: opening,
  allowLocal: opening,
  discard: [...message, ...delivery],
  changeSender: ['mail'],
  quarantine: message,
  hold: [...message, ...delivery],
  addHeader: rendering,
  addHeaderIfAbsent: rendering,
  changeHeader: rendering,
  removeHeader: rendering,
  tag: session,
  setLimit: opening,
  skip: session,
  // The plan of what content is wanted is made at RCPT.
  run: opening,
  redirect: ['rcpt'],
  addRecipient: ['rcpt'],
  dropRecipient: rendering,
  route: ['relay'],
  retrySchedule: delivery,
  ndrText: failures,
};

export const actionEvents = (kind: ActionKind): readonly RuleEvent[] => carriedOut[kind];

const contentChecks: readonly string[] = [
  ...['lists_from', 'lists_user_from', 'author'],
  ...['dkim', 'greylist_signed', 'domainkeys', 'arc', 'dmarc', 'uribl'],
];

/** Checks a rule may skip. */
export const skippableChecks: readonly string[] = [
  ...['dnswl', 'country', 'dnsbl', 'ptr', 'helo'],
  ...['lists', 'identity', 'spf', 'sender'],
  ...['lists_user', 'recipients', 'callforward', 'greylist'],
  ...contentChecks,
];

/** It skips a check of content; greylisting is one where it waits for the signature. */
export const isContentSkip = (action: Action): boolean =>
  action.kind === 'skip' && (action.check === 'greylist' || contentChecks.includes(action.check));

/** Checks a rule may run where they are off: not those that are never off or part of another, nor lists, which are as on as what is in them. */
export const runnableChecks: readonly string[] = skippableChecks.filter(
  (check) => check !== 'recipients' && check !== 'greylist_signed' && !check.startsWith('lists'),
);

/** Decided by the session itself, which asks nobody (design.md, services): conditions on them may name session facts only. */
const decidedInSession: ReadonlySet<ActionKind> = new Set([
  'greeting',
  'auth',
  'requireTls',
  'allowRelay',
  'allowLocal',
]);

export function isDecidedInSession(action: Action): boolean {
  return decidedInSession.has(action.kind) || (action.kind === 'setLimit' && action.errors !== undefined);
}

function unsupportedDetail(action: Action, event: RuleEvent): string | undefined {
  switch (action.kind) {
    case 'setLimit':
      return action.errors !== undefined && !isKnownAt(event, 'auth')
        ? `does not limit errors at ${event}: they are counted for the session; move the rule to connect, ehlo or auth`
        : undefined;
    case 'skip':
      return skippableChecks.includes(action.check)
        ? undefined
        : `names no check of this release; use ${skippableChecks.join(', ')}`;
    case 'run':
      return runnableChecks.includes(action.check)
        ? undefined
        : `names no check that can be run by a rule; use ${runnableChecks.join(', ')}`;
    case 'changeSender':
      // RFC 6531 §3.3: the client's message need not be internationalised.
      return /^[\x20-\x7e]*$/.test(action.address) ? undefined : 'needs an address in ASCII';
    case 'allowRelay':
      return action.for === 'all'
        ? 'for all would open the relay; name the clients in the operator’s relay networks instead'
        : undefined;
    default:
      return undefined;
  }
}

/** What a fact of a client may be looked up in. */
export type Database = 'country' | 'asn';

/** Databases there are: that of countries is shipped, that of autonomous systems is the operator's to name. */
export const availableDatabases = (hasAsn: boolean): readonly Database[] => (hasAsn ? ['country', 'asn'] : ['country']);

/** Facts of the language that no part of this release finds out. */
const absentFacts: ReadonlyMap<string, string> = new Map([
  ['score', 'is not computed: no content filter is part of this release'],
  ['virus', 'is not known: no antivirus is part of this release'],
]);

export const notCarriedOut: Unsupported = {
  action(action, event, facts) {
    const acts = carriedOut[action.kind];
    if (!acts.includes(event)) return `is not carried out at ${event} by this release`;
    const asked = isDecidedInSession(action) ? [...facts].find((name) => factEntry(name)?.asked === true) : undefined;
    if (asked !== undefined)
      return `is decided by the session without asking anybody, and ${asked} has to be asked for`;
    return unsupportedDetail(action, event);
  },
  fact: (name) => absentFacts.get(name),
};
